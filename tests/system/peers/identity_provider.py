# SPDX-License-Identifier: MIT
"""An OAuth identity provider over https on loopback, which a test can make misbehave.

It has a device flow (RFC 8628), an authorization code flow that insists on PKCE (RFC 7636), client
credentials, and service accounts (RFC 7523: a JWT signed with RS256). Refresh tokens are rotated, and
one that is used twice is remembered in `reused`; as with careful providers, that ends the sign-in.
With grace=True an old one is still taken as long as its successor was never used: a client may have
lost the answer.

	provider = IdentityProvider(stage, lifetime=3600)
	frank = Frank(stage, extra=provider.account('ms', 'scan@contoso.test'))
	provider.approve(user_code)
	provider.accepts('scan@contoso.test', access_token)		# what a hop asks

Everything that was asked is in provider.requests: {path, form, client} in the order of arrival.
"""
import base64
import hashlib
import http.server
import json
import os
import secrets
import ssl
import threading
import time
import urllib.parse

from peers.certificate import Certificate
from peers.stage import run, wait_for

SCOPE = 'mail.send offline_access'
DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
JWT_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'


class Raw:
    """An answer as it is: status, headers and bytes of the body, instead of what would be right."""

    def __init__(self, status, body=b'', headers=None):
        self.status = status
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = headers if headers is not None else {'Content-Type': 'application/json'}


NOTHING = object()	# closes the connection without an answer
HALF = object()		# the right answer, cut in the middle


class Refusal(Exception):
    def __init__(self, error, description='', status=400):
        super().__init__(error)
        self.error, self.description, self.status = error, description, status


class IdentityProvider:
    """`answer`, if set, is called with (path, form) and may return a Raw, NOTHING, HALF, a Refusal, or
    None for what would be right. `before_answer` is called with (path, answer) when all is decided
    and recorded, and nothing has been sent yet."""

    def __init__(self, stage, certificate=None, lifetime=3600, rotate=True, grace=False,
                 client_id='frank-test', client_secret=None, interval=1, device_lifetime=600):
        self.stage = stage
        self.certificate = certificate or Certificate(stage)
        self.port = stage.port()
        self.lifetime, self.rotate, self.grace = lifetime, rotate, grace
        self.client_id, self.client_secret = client_id, client_secret
        self.interval, self.device_lifetime = interval, device_lifetime
        self.service_keys = {}		# issuer → public key file
        self.answer = None
        self.before_answer = None
        self.lock = threading.RLock()
        self.requests = []
        self.access = {}		# token → {login, expires}
        self.refresh = {}		# token → {login, family, used, successor}
        self.ended = set()		# families that are over
        self.reused = []
        self.devices = {}		# device code → {user_code, login, denied}
        self.codes = {}			# authorization code → {login, challenge, redirect}
        self._server = None
        self.open()
        stage.defer(self.shut)

    # ---- what a test says ----

    def url(self, path):
        return f'https://localhost:{self.port}/{path}'

    def account(self, name, login, flow='device', more=''):
        """The account block for this provider."""
        secret = ''
        if self.client_secret and flow != 'service-account':
            path = self.stage.write(f'client-secret-{name}', self.client_secret + '\n', 0o600)
            secret = f'client-secret-file {path};'
        points = {'device': f'device-endpoint {self.url("device")};',
                  'code': f'authorization-endpoint {self.url("authorize")};'}.get(flow, '')
        client = '' if flow == 'service-account' else f'client-id {self.client_id};'
        return (f'account {name} {{ login {login}; oauth {{ flow {flow}; {client} {secret} {points} '
                f'token-endpoint {self.url("token")}; scope "{SCOPE}"; '
                f'trust {self.certificate.certificate}; {more} }} }}\n')

    def service_account(self, name, login):
        """The account block of a service account whose key is known here."""
        directory = self.stage.subdirectory('service-account')
        private = os.path.join(directory, 'private.pem')
        public = os.path.join(directory, 'public.pem')
        run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048',
             '-out', private])
        run(['openssl', 'pkey', '-in', private, '-pubout', '-out', public])
        issuer = f'{name}@project.test'
        self.service_keys[issuer] = public
        with open(private) as stream:
            key = {'type': 'service_account', 'client_email': issuer, 'private_key_id': 'key-1',
                   'private_key': stream.read(), 'token_uri': self.url('elsewhere')}
        path = self.stage.write(os.path.join(directory, 'key.json'), json.dumps(key), 0o600)
        return self.account(name, login, 'service-account', f'key-file {path};')

    def approve(self, user_code, login=None):
        with self.lock:
            device = self._device(user_code)
            device['login'] = login or 'somebody'

    def deny(self, user_code):
        with self.lock:
            self._device(user_code)['denied'] = True

    def revoke(self):
        """Ends every sign-in, as an administrator does, or a new password. Access tokens too."""
        with self.lock:
            self.ended.update(entry['family'] for entry in self.refresh.values())
            self.access.clear()

    def expire_access(self):
        """No access token is good any more; refresh tokens are."""
        with self.lock:
            self.access.clear()

    def access_end(self):
        """When the last access token ends."""
        with self.lock:
            return max(entry['expires'] for entry in self.access.values())

    def accepts(self, login, token):
        with self.lock:
            entry = self.access.get(token)
            return bool(entry) and entry['login'] == login and time.time() < entry['expires']

    def browse(self, address, login='somebody', refuse=False):
        """What a browser does with the address of a sign-in: the address that it is sent back to."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        if query.get('client_id') != self.client_id or query.get('response_type') != 'code':
            raise AssertionError(f'a strange sign-in address: {address}')
        if query.get('code_challenge_method') != 'S256' or not query.get('code_challenge'):
            raise AssertionError(f'no PKCE: {address}')
        back = {'state': query.get('state', '')}
        if refuse:
            back.update(error='access_denied', error_description='The user declined')
        else:
            back['code'] = secrets.token_urlsafe(24)
            with self.lock:
                self.codes[back['code']] = {'login': login, 'challenge': query['code_challenge'],
                                            'redirect': query['redirect_uri']}
        return query['redirect_uri'] + '/?' + urllib.parse.urlencode(back)

    def asked(self, path='token', **fields):
        """The requests for that path whose form has these fields."""
        with self.lock:
            return [r for r in self.requests if r['path'] == path and
                    all(r['form'].get(k) == v for k, v in fields.items())]

    def refreshes(self):
        return self.asked(grant_type='refresh_token')

    def wait_asked(self, count, timeout=20, **fields):
        wait_for(lambda: len(self.asked(**fields)) >= count,
                 f'the provider was asked {count} times with {fields}', timeout)

    def secrets(self):
        """Every secret that was ever sent or received, for a search where none may be."""
        with self.lock:
            return ([*self.access, *self.refresh, *self.devices, *self.codes] +
                    [r['form'][k] for r in self.requests
                     for k in ('code_verifier', 'assertion', 'client_secret') if k in r['form']])

    # ---- the server ----

    def open(self):
        """Answers (again, after shut())."""
        provider, certificate = self, self.certificate

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                length = int(self.headers.get('Content-Length', 0))
                provider._serve(self, self.rfile.read(length).decode())

            def do_GET(self):
                provider._serve(self, '')

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def get_request(self):
                connection, address = self.socket.accept()
                connection.settimeout(20)
                return connection, address

            def finish_request(self, request, client_address):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate.certificate, certificate.key)
                with context.wrap_socket(request, server_side=True) as secure:
                    super().finish_request(secure, client_address)

            def handle_error(self, request, client_address):
                pass

        self._server = Server(('127.0.0.1', self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={'poll_interval': 0.05},
                         daemon=True).start()

    def shut(self):
        """Takes no connections, as a provider that is down."""
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()

    def _serve(self, handler, body):
        path = handler.path.lstrip('/').partition('?')[0]
        form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        with self.lock:
            self.requests.append({'path': path, 'form': form, 'time': time.time(),
                                  'method': handler.command})
            answer = self.answer(path, form) if self.answer else None
            if answer is None or answer is HALF:
                right = self._decide(path, form)
                answer = Half(right) if answer is HALF else right
            elif isinstance(answer, Refusal):
                answer = refused(answer)
        if self.before_answer:
            self.before_answer(path, answer)
        send(handler, answer)

    def _decide(self, path, form):
        try:
            if path == 'device':
                return ok(self._begin_device(form))
            if path == 'token':
                return ok(self._token(form))
            return Raw(404, '<html>Not found</html>', {'Content-Type': 'text/html'})
        except Refusal as refusal:
            return refused(refusal)

    # ---- flows ----

    def _check_client(self, form):
        if form.get('client_id') != self.client_id:
            raise Refusal('invalid_client', 'there is no such client', 401)
        if self.client_secret and form.get('client_secret') != self.client_secret:
            raise Refusal('invalid_client', 'the secret is wrong', 401)

    def _begin_device(self, form):
        if form.get('client_id') != self.client_id:
            raise Refusal('invalid_client', 'there is no such client', 401)
        code = secrets.token_urlsafe(24)
        user_code = '-'.join(''.join(secrets.choice('BCDFGHJKLMNPQRSTVWXZ') for _ in range(4))
                             for _ in range(2))
        self.devices[code] = {'user_code': user_code, 'login': None, 'denied': False,
                              'until': time.time() + self.device_lifetime}
        return {'device_code': code, 'user_code': user_code, 'interval': self.interval,
                'verification_uri': self.url('enter'), 'expires_in': self.device_lifetime}

    def _device(self, user_code):
        return next(d for d in self.devices.values() if d['user_code'] == user_code)

    def _token(self, form):
        kind = form.get('grant_type')
        if kind == JWT_GRANT:
            return self._grant(self._check_jwt(form), refresh=False)
        self._check_client(form)
        if kind == 'refresh_token':
            return self._refresh(form)
        if kind == 'client_credentials':
            return self._grant('', refresh=False)
        if kind == 'authorization_code':
            return self._grant(self._redeem(form))
        if kind == DEVICE_GRANT:
            return self._grant(self._poll(form))
        raise Refusal('unsupported_grant_type')

    def _poll(self, form):
        device = self.devices.get(form.get('device_code'))
        if device is None:
            raise Refusal('invalid_grant', 'there is no such code')
        if device['denied']:
            raise Refusal('access_denied', 'the user declined')
        if time.time() > device['until']:
            raise Refusal('expired_token', 'too late')
        if device['login'] is None:
            raise Refusal('authorization_pending', 'nobody has signed in yet')
        return device['login']

    def _redeem(self, form):
        entry = self.codes.pop(form.get('code'), None)
        if entry is None or entry['redirect'] != form.get('redirect_uri'):
            raise Refusal('invalid_grant', 'the code is not known')
        digest = hashlib.sha256(form.get('code_verifier', '').encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b'=').decode() != entry['challenge']:
            raise Refusal('invalid_grant', 'the verifier is wrong')
        return entry['login']

    def _check_jwt(self, form):
        head, claims, signature = form['assertion'].split('.')
        claim = json.loads(unpad(claims))
        if json.loads(unpad(head)).get('alg') != 'RS256':
            raise Refusal('invalid_grant', 'Invalid JWT: alg')
        key = self.service_keys.get(claim['iss'])
        if key is None:
            raise Refusal('invalid_grant', 'Invalid grant: account not found')
        path = self.stage.write(f'signature-{threading.get_ident()}', unpad(signature))
        checked = run(['openssl', 'dgst', '-sha256', '-verify', key, '-signature', path],
                      stdin=f'{head}.{claims}')
        if checked.returncode != 0:
            raise Refusal('invalid_grant', 'Invalid JWT Signature.')
        if claim['aud'] != self.url('token') or not claim['iat'] - 60 < time.time() < claim['exp']:
            raise Refusal('invalid_grant', 'Invalid JWT: aud, iat or exp')
        if claim['exp'] - claim['iat'] > 3600:
            raise Refusal('invalid_grant', 'Invalid JWT: it lives too long')
        return claim['sub']

    def _refresh(self, form):
        old = form.get('refresh_token')
        entry = self.refresh.get(old)
        if entry is None or entry['family'] in self.ended:
            raise Refusal('invalid_grant', 'the token has expired or was revoked')
        if entry['used'] and self.rotate and not self._is_grace(entry):
            self.reused.append(old)
            self.ended.add(entry['family'])
            raise Refusal('invalid_grant', 'the token was used before')
        again = entry['used']
        entry['used'] = True
        if not self.rotate:
            return self._grant(entry['login'], refresh=False)
        if again:
            self.refresh.pop(entry['successor'], None)
        granted = self._grant(entry['login'], family=entry['family'])
        entry['successor'] = granted['refresh_token']
        return granted

    def _is_grace(self, entry):
        successor = self.refresh.get(entry['successor'])
        return self.grace and successor is not None and not successor['used']

    def _grant(self, login, refresh=True, family=None):
        access = 'access-' + secrets.token_urlsafe(48)
        self.access[access] = {'login': login, 'expires': time.time() + self.lifetime}
        answer = {'token_type': 'Bearer', 'access_token': access, 'expires_in': self.lifetime,
                  'scope': SCOPE}
        if refresh:
            token = 'refresh-' + secrets.token_urlsafe(48)
            self.refresh[token] = {'login': login, 'family': family or token, 'used': False,
                                   'successor': None}
            answer['refresh_token'] = token
        return answer


class Half:
    def __init__(self, right):
        self.right = right


def ok(value):
    return Raw(200, json.dumps(value))


def refused(refusal):
    value = {'error': refusal.error}
    if refusal.description:
        value['error_description'] = refusal.description
    return Raw(refusal.status, json.dumps(value))


def unpad(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def send(handler, answer):
    handler.close_connection = True
    if answer is NOTHING:
        return
    cut = isinstance(answer, Half)
    raw = answer.right if cut else answer
    try:
        handler.send_response(raw.status)
        for name, value in raw.headers.items():
            handler.send_header(name, value)
        if not cut:
            handler.send_header('Content-Length', str(len(raw.body)))
        handler.end_headers()
        handler.wfile.write(raw.body[:len(raw.body) // 2] if cut else raw.body)
    except OSError:
        pass


def hop_for(provider):
    """For ScriptedServer's replies: AUTH XOAUTH2 whose token is asked of the provider, as
    {'AUTH': hop_for(provider)}. A token for no login in particular (client credentials) fits any."""
    def auth(session, argument):
        mechanism, _, initial = argument.partition(' ')
        if mechanism.upper() != 'XOAUTH2':
            return '504 5.5.4 Unrecognized authentication type'
        if not initial:
            session.say('334 ')
            initial = session.read_line() or ''
        fields = base64.b64decode(initial).decode().split('\x01')
        login, token = fields[0].removeprefix('user='), fields[1].removeprefix('auth=Bearer ')
        with session.server.lock:
            session.logins.append(('XOAUTH2', login, token))
        if provider.accepts(login, token) or provider.accepts('', token):
            return '235 2.7.0 Authentication successful'
        session.say('334 ' + base64.b64encode(
            b'{"status":"401","schemes":"bearer","scope":"mail.send"}').decode())
        session.read_line()
        return '535 5.7.8 Authentication failed: the token is not valid'
    return auth
