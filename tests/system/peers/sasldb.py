# SPDX-License-Identifier: MIT
"""Cyrus SASL's own database of secrets, which Postfix and Exim read through its library."""
import os

from peers.stage import Failure, run


def fill_sasldb(path, realm, users):
    """users: {login: password}. A login with a domain is kept under that domain, which is how Cyrus
    SASL looks for it; and under the server's realm, where NTLM looks, which sends the domain apart."""
    for login, password in users.items():
        name, _, domain = login.partition('@')
        for kept in {domain or realm, realm}:
            done = run(['saslpasswd2', '-p', '-c', '-f', path, '-u', kept, name], stdin=password)
            if done.returncode != 0:
                raise Failure('saslpasswd2: ' + done.stderr.decode())
    os.chmod(path, 0o644)
