# SPDX-License-Identifier: MIT
"""Access tokens of an identity provider that exists only as its keys: good ones and bad ones.

	tokens = Tokens(stage)
	use tokens.users('file …;') as the users block; tokens.token('alice@example.org') signs in
"""
import base64
import hashlib
import hmac
import json
import os
import time

from peers.stage import Failure, run

ISSUER = 'https://login.example.org/'
AUDIENCE = 'smtp.example.org'
NOT_GIVEN = object()


def encode(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def openssl(*argv, stdin=b''):
    done = run(['openssl', *argv], stdin=stdin)
    if done.returncode != 0:
        raise Failure('openssl: ' + done.stderr.decode())
    return done.stdout


class Tokens:
    def __init__(self, stage):
        self.stage = stage
        directory = stage.subdirectory('tokens')
        self.rsa = os.path.join(directory, 'rsa.pem')
        self.ec = os.path.join(directory, 'ec.pem')
        openssl('genrsa', '-out', self.rsa, '2048')
        openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', self.ec)
        self.file = stage.write(os.path.join(directory, 'keys.jwks'),
                                json.dumps({'keys': [self._rsa_key(), self._ec_key(), {
                                    'kty': 'oct', 'kid': 'oct', 'k': encode(b'0' * 32)}]}))

    def _rsa_key(self):
        modulus = openssl('rsa', '-in', self.rsa, '-noout', '-modulus').decode()
        number = bytes.fromhex(modulus.strip().split('=')[1])
        return {'kty': 'RSA', 'kid': 'rsa', 'use': 'sig', 'n': encode(number),
                'e': encode(b'\1\0\1')}

    def _ec_key(self):
        point = openssl('ec', '-in', self.ec, '-pubout', '-outform', 'DER')[-64:]
        return {'kty': 'EC', 'kid': 'ec', 'crv': 'P-256', 'alg': 'ES256', 'x': encode(point[:32]),
                'y': encode(point[32:])}

    def users(self, others=''):
        return (f'users {{ {others} jwks {{ file {self.file}; issuer {ISSUER}; '
                f'audience {AUDIENCE}; login-claim email; }} }}')

    def claims(self, login, **changes):
        claims = {'iss': ISSUER, 'aud': ['other', AUDIENCE], 'sub': '1234', 'email': login,
                  'exp': int(time.time()) + 600, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, login, algorithm='RS256', kid=NOT_GIVEN, **changes):
        header = {'typ': 'at+jwt', 'alg': algorithm,
                  'kid': {'RS256': 'rsa', 'ES256': 'ec'}[algorithm] if kid is NOT_GIVEN else kid}
        text = encode(header) + '.' + encode(self.claims(login, **changes))
        key = self.rsa if algorithm == 'RS256' else self.ec
        signature = openssl('dgst', '-sha256', '-sign', key, stdin=text.encode())
        if algorithm == 'ES256':
            signature = raw_signature(signature)
        return text + '.' + encode(signature)

    def unsigned(self, login):
        """alg none, and nothing behind the second dot but a letter, so that it has three parts."""
        return encode({'alg': 'none'}) + '.' + encode(self.claims(login)) + '.AA'

    def confused(self, login):
        """HS256 with the public RSA key, as PEM, as its secret."""
        secret = openssl('rsa', '-in', self.rsa, '-pubout')
        text = encode({'alg': 'HS256', 'kid': 'rsa'}) + '.' + encode(self.claims(login))
        return text + '.' + encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())


def raw_signature(der):
    """r and s of an ECDSA signature, 32 octets each (RFC 7518, 3.4)."""
    numbers, at = [], 2
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], 'big').to_bytes(32, 'big'))
        at += 2 + length
    return b''.join(numbers)
