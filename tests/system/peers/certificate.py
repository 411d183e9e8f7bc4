# SPDX-License-Identifier: MIT
"""Certificates for tests, made by the openssl program."""
import os

from peers.stage import Failure, run


class Certificate:
    """A self-signed ECDSA P-256 certificate. `days` below zero makes one that has expired; `mail` is
    a mail address that it names, as a client's certificate does."""

    def __init__(self, stage, name='localhost', addresses=('127.0.0.1',), days=30, rsa=False,
                 mail=None):
        directory = stage.subdirectory('certificate')
        self.certificate = os.path.join(directory, 'cert.pem')
        self.key = os.path.join(directory, 'key.pem')
        names = [f'DNS:{name}'] + [f'IP:{address}' for address in addresses]
        if mail:
            names = [f'email:{mail}']
        kind = ['rsa:2048'] if rsa else ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
        argv = ['openssl', 'req', '-x509', '-nodes', '-newkey', *kind,
                '-subj', f'/CN={name}', '-addext', 'subjectAltName=' + ','.join(names),
                '-keyout', self.key, '-out', self.certificate]
        if days < 0:
            # `req -x509` refuses a negative number of days; `ca` takes any pair of dates.
            self._make_expired(directory, name, names, kind)
        else:
            made = run([*argv, '-days', str(days)])
            if made.returncode != 0:
                raise Failure('openssl req: ' + made.stderr.decode())
        os.chmod(self.key, 0o600)

    def _make_expired(self, directory, name, names, kind):
        request = os.path.join(directory, 'request.pem')
        made = run(['openssl', 'req', '-new', '-nodes', '-newkey', *kind, '-subj', f'/CN={name}',
                    '-addext', 'subjectAltName=' + ','.join(names),
                    '-keyout', self.key, '-out', request])
        configuration = os.path.join(directory, 'ca.cnf')
        for file, text in ((configuration, CA_CONFIGURATION.format(directory=directory)),
                           (os.path.join(directory, 'index'), ''),
                           (os.path.join(directory, 'serial'), '01\n')):
            with open(file, 'w') as stream:
                stream.write(text)
        signed = run(['openssl', 'ca', '-batch', '-selfsign', '-config', configuration,
                      '-keyfile', self.key, '-in', request, '-out', self.certificate, '-notext',
                      '-startdate', '20200101000000Z', '-enddate', '20200201000000Z'])
        if made.returncode != 0 or signed.returncode != 0:
            raise Failure('openssl ca: ' + (made.stderr + signed.stderr).decode())


CA_CONFIGURATION = '''[ca]
default_ca = own
[own]
database = {directory}/index
serial = {directory}/serial
new_certs_dir = {directory}
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
'''
