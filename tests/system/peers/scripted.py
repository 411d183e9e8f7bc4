# SPDX-License-Identifier: MIT
"""A server that behaves as a test wants it to, also badly, and remembers what it was sent.

By default it is a plain ESMTP server that takes everything. A test changes it with `replies` (verb →
text, or a function of the session and the argument that returns a text), with `ehlo` (the lines that
it lists), or with a subclass. With `idle_timeout` it says 421 and leaves when that many seconds pass
between messages of one connection. A reply may also be one of the acts CLOSE, RESET and STALL.

	server = ScriptedServer(stage, ehlo=['PIPELINING', 'AUTH PLAIN LOGIN'],
	                        replies={'AUTH': scripted.login_without_initial_response})

Everything that arrived is in server.sessions: per connection the lines, the messages, and how it
ended.
"""
import base64
import hmac
import select
import socket
import ssl
import struct
import threading

from peers.stage import wait_for

CLOSE = object()	# ends the connection in silence
RESET = object()	# ends it with a TCP reset
STALL = object()	# says nothing more and reads nothing more, until the test is over


class Session:
    def __init__(self, server, connection, number):
        self.server = server
        self.connection = connection
        self.number = number
        self.lines = []			# commands and AUTH payloads, as text, without CRLF
        self.messages = []		# (sender, [recipients], content before dot-unstuffing)
        self.logins = []		# (mechanism, name, password) as they came
        self.sender, self.recipients = None, []
        self.tls = False
        self.ended = False
        self.last_reply = ''
        self._buffer = b''

    def verbs(self):
        return [line.split(' ')[0].split(':')[0].upper() for line in self.lines]

    def read_line(self):
        """The next line without its CRLF, or None at the end."""
        while b'\r\n' not in self._buffer:
            data = self.connection.recv(65536)
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b'\r\n')
        return line.decode('latin-1')

    def wait_input(self, seconds):
        """Whether anything comes within that time."""
        if self._buffer or (self.tls and self.connection.pending()):
            return True
        return bool(select.select([self.connection], [], [], seconds)[0])

    def read_content(self):
        while b'\r\n.\r\n' not in b'\r\n' + self._buffer:
            data = self.connection.recv(1 << 20)
            if not data:
                return None
            self._buffer += data
        content, _, self._buffer = (b'\r\n' + self._buffer).partition(b'\r\n.\r\n')
        return content[2:] + b'\r\n'

    def say(self, text):
        self.connection.sendall((text + '\r\n').encode('latin-1'))

    def ask(self, text):
        """A 334 prompt; the answer decoded, or None when the client cancels or leaves."""
        self.say('334 ' + base64.b64encode(text.encode()).decode())
        line = self.read_line()
        if line is None or line == '*':
            return None
        self.lines.append(line)
        return base64.b64decode(line).decode()

    def start_tls(self):
        self._buffer = b''
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.tls = True


class ScriptedServer:
    def __init__(self, stage, ehlo=('PIPELINING', '8BITMIME'), replies=None, certificate=None,
                 implicit_tls=False, greeting='220 scripted.test ESMTP', users=None, port=None,
                 receive_buffer=None, idle_timeout=None):
        self.ehlo, self.greeting = list(ehlo), greeting
        self.replies = dict(replies or {})
        self.users = users		# {name: password}, or None: any
        self.implicit_tls = implicit_tls
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.certificate, certificate.key)
        self.sessions = []
        self.lock = threading.Lock()
        self.port = port or stage.port()
        self._over = threading.Event()
        self._receive_buffer = receive_buffer
        self._idle_timeout = idle_timeout
        self._listener = None
        self.open()
        stage.defer(self.stop)

    def open(self):
        """Listens (again, after shut())."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        listener.bind(('127.0.0.1', self.port))
        listener.listen(256)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self):
        """Refuses new connections, as a server that is down."""
        listener, self._listener = self._listener, None
        if listener:
            # close() alone leaves a thread blocked in accept() with the port open.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def stop(self):
        self.shut()
        self._over.set()
        for session in self.sessions:
            try:
                session.connection.close()
            except OSError:
                pass

    def messages(self):
        with self.lock:
            return [message for session in self.sessions for message in session.messages]

    def logins(self):
        with self.lock:
            return [login for session in self.sessions for login in session.logins]

    def wait_messages(self, count, timeout=30):
        wait_for(lambda: len(self.messages()) >= count, f'{count} messages have arrived', timeout)
        return self.messages()

    def wait_sessions(self, count, timeout=30):
        wait_for(lambda: sum(s.ended for s in self.sessions) >= count,
                 f'{count} sessions have ended', timeout)
        return self.sessions

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            # Replies go out one by one; without this each would wait for the other's delayed ACK.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, connection, len(self.sessions))
            with self.lock:
                self.sessions.append(session)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session):
        try:
            if self.implicit_tls:
                session.start_tls()
            if self._answer(session, self.replies.get('CONNECT', self.greeting), ''):
                self._converse(session)
        except (OSError, ValueError):
            pass
        finally:
            session.ended = True
            try:
                session.connection.close()
            except OSError:
                pass

    def _converse(self, session):
        while True:
            if self._idle_timeout and session.messages and not session.wait_input(
                    self._idle_timeout):
                session.say('421 4.4.2 scripted.test Error: timeout exceeded')
                return
            line = session.read_line()
            if line is None:
                return
            with self.lock:
                session.lines.append(line)
            verb, _, argument = line.partition(' ')
            verb = verb.upper()
            reply = self.replies.get(verb)
            if reply is None:
                handler = getattr(self, 'on_' + verb.lower(), None)
                reply = handler(session, argument) if handler else '502 5.5.1 Not implemented'
            if not self._answer(session, reply, argument) or verb == 'QUIT':
                return
            if verb == 'DATA' and session.last_reply.startswith('354'):
                if not self._take_content(session):
                    return

    def _answer(self, session, reply, argument):
        """Does what a reply says; False when the session is over."""
        if callable(reply):
            reply = reply(session, argument)
        session.last_reply = reply if isinstance(reply, str) else ''
        if reply is CLOSE:
            return False
        if reply is RESET:
            session.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack('ii', 1, 0))
            return False
        if reply is STALL:
            self._over.wait()
            return False
        if reply is not None:
            session.say(reply)
        return not (isinstance(reply, str) and reply.startswith('421'))

    def _take_content(self, session):
        if '.read' in self.replies:		# a test reads the content itself, or does not
            return self._answer(session, self.replies['.read'], '')
        content = session.read_content()
        if content is None:
            return False
        reply = self.replies.get('.', '250 2.0.0 Ok: queued as SCRIPTED')
        if callable(reply):
            reply = reply(session, content)
        if isinstance(reply, str) and reply.startswith('2'):
            with self.lock:
                session.messages.append((session.sender, list(session.recipients), content))
        session.sender, session.recipients = None, []
        return self._answer(session, reply, '')

    def on_ehlo(self, session, argument):
        lines = ['scripted.test'] + [
            line for line in self.ehlo if not (line == 'STARTTLS' and session.tls)]
        return '\r\n'.join(f'250{"-" if i < len(lines) - 1 else " "}{line}'
                           for i, line in enumerate(lines))

    def on_lhlo(self, session, argument):
        return self.on_ehlo(session, argument)

    def on_helo(self, session, argument):
        return '250 scripted.test'

    def on_starttls(self, session, argument):
        session.say('220 2.0.0 Ready to start TLS')
        session.start_tls()

    def on_auth(self, session, argument):
        mechanism, _, initial = argument.partition(' ')
        mechanism = mechanism.upper()
        initial = base64.b64decode(initial).decode() if initial else None
        if mechanism == 'PLAIN':
            text = initial or session.ask('')
            _, name, password = (text or '\0\0').split('\0')
        elif mechanism == 'LOGIN':
            name = initial or session.ask('Username:')
            password = session.ask('Password:')
        elif mechanism == 'CRAM-MD5':
            return self.judge_digest(session)
        elif mechanism in ('XOAUTH2', 'OAUTHBEARER'):
            return self.judge_token(session, mechanism, initial or session.ask(''))
        else:
            return '504 5.5.4 Unrecognized authentication type'
        return self.judge(session, mechanism, name, password)

    def judge_digest(self, session):
        challenge = f'<{session.number}.1896@scripted.test>'
        name, _, digest = (session.ask(challenge) or ' ').rpartition(' ')
        known = (self.users or {}).get(name)
        wanted = hmac.new((known or '').encode(), challenge.encode(), 'md5').hexdigest()
        with self.lock:
            session.logins.append(('CRAM-MD5', name, digest))
        if self.users is None or (known is not None and digest == wanted):
            return '235 2.7.0 Authentication successful'
        return '535 5.7.8 Error: authentication failed'

    def judge_token(self, session, mechanism, text):
        """With users as {name: token}; a refusal is what Microsoft says."""
        fields = dict(part.split('=', 1) for part in (text or '').split('\x01') if '=' in part)
        name = fields.get('user') or (text or '').partition(',a=')[2].partition(',')[0]
        reply = self.judge(session, mechanism, name, fields.get('auth', '').partition(' ')[2])
        if reply.startswith('235'):
            return reply
        session.ask('{"status":"401","schemes":"bearer"}')
        return '535 5.7.3 Authentication unsuccessful'

    def judge(self, session, mechanism, name, password):
        with self.lock:
            session.logins.append((mechanism, name, password))
        if self.users is None or self.users.get(name) == password:
            return '235 2.7.0 Authentication successful'
        return '535 5.7.8 Error: authentication failed'

    def on_mail(self, session, argument):
        session.sender, session.recipients = path_of(argument), []
        return '250 2.1.0 Ok'

    def on_rcpt(self, session, argument):
        session.recipients.append(path_of(argument))
        return '250 2.1.5 Ok'

    def on_data(self, session, argument):
        if not session.recipients:
            return '554 5.5.1 Error: no valid recipients'
        return '354 End data with <CR><LF>.<CR><LF>'

    def on_rset(self, session, argument):
        session.sender, session.recipients = None, []
        return '250 2.0.0 Ok'

    def on_noop(self, session, argument):
        return '250 2.0.0 Ok'

    def on_quit(self, session, argument):
        return '221 2.0.0 Bye'


def path_of(argument):
    """The address of FROM:<…> or TO:<…>."""
    return argument.partition('<')[2].partition('>')[0]


def login_without_initial_response(session, argument):
    """Takes LOGIN only with prompts; an initial response is an invalid command, as on old servers."""
    if ' ' in argument:
        return '500 5.5.1 Invalid command'
    return session.server.on_auth(session, argument)


def login_with_initial_response(session, argument):
    """The other way: AUTH LOGIN alone is an invalid command."""
    if ' ' not in argument:
        return '500 5.5.1 Invalid command'
    return session.server.on_auth(session, argument)
