"""How the agent looks over TCP, SCTP, UDP and HTTP, as text of its script; and its source ports.

Source ports walk: a reused pair of ports may still stand in the connection tracking of a node, and
what is closed would answer. Hence each target has its own walk, and no port is used twice for it
within minutes.

SCTP is spoken one-to-one style (RFC 6458 section 4): a stream that needs no word for its handshake.
Its first INIT is repeated after 3 s (RFC 9260 section 16); here after 1 s, as a SYN is.
"""

LOOKS = r"""
IP_RECVERR, IPV6_RECVERR = 11, 25
TCP_INFO, TIMESTAMPS, LENGTH_OF_TIMESTAMPS = 11, 1, 12
LANES = ((20000, 29900), (33000, 60900))
PORTS = sum(end - start for start, end in LANES)
REST_S, PORTS_PER_S, BIND_TRIES = 180.0, 50, 64
MOST_ANSWER = 4096
SCTP, SCTP_RTOINFO, FIRST_INIT_AGAIN_MS = 132, 0, 1000

WORDS = {
    "refused": (errno.ECONNREFUSED, errno.ENOPROTOOPT),
    "timeout": (errno.ETIMEDOUT,),
    "reset": (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED),
    "unreach": (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN),
    "prohibited": (errno.EACCES, errno.EPERM),
}
WORD_OF = {number: word for word, numbers in WORDS.items() for number in numbers}


class CannotLook(Exception):
    "This process or pod is the reason that nothing was seen; `lacks` is what its kernel has not."

    def __init__(self, said, lacks=""):
        Exception.__init__(self, said)
        self.lacks = lacks


def new_socket(family, kind, protocol):
    try:
        return socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    except OSError as error:
        unknown = error.errno in (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT)
        lacks = "sctp" if unknown and protocol == SCTP else ""
        raise CannotLook("no socket: %s" % error, lacks)


class Ports:
    "The next source port for a target, never one that was used for it within REST_S."

    def __init__(self):
        self.walks = {}

    def next(self, target):
        now = time.monotonic()
        walk = self.walks.get(target)
        if walk is None:
            if len(self.walks) > 20000:
                self.walks.clear()
            # Later processes of this pod start elsewhere: time and process id are in it.
            start = int(now * PORTS_PER_S) + os.getpid() * 7919 + hash(target)
            walk = self.walks[target] = [start % PORTS, 0, now]
        if walk[1] == PORTS:
            if now - walk[2] < REST_S:
                raise CannotLook("all source ports were used for this target a moment ago")
            walk[1:] = [0, now]
        at = (walk[0] + walk[1]) % PORTS
        walk[1] += 1
        for start, end in LANES:
            if at < end - start:
                return start + at
            at -= end - start

    def connect(self, family, kind, address, port, source=0, protocol=0):
        "A socket on its way to address and port. Raises CannotLook, or OSError for the network."
        target = (kind, protocol, address, port)
        for _ in range(BIND_TRIES):
            sock = new_socket(family, kind, protocol)
            try:
                if kind == socket.SOCK_STREAM:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if protocol == SCTP:
                    again = struct.pack("=iIII", 0, FIRST_INIT_AGAIN_MS, 0, 0)
                    sock.setsockopt(SCTP, SCTP_RTOINFO, again)
                report_errors(sock)
                sock.bind(("", source or self.next(target)))
            except OSError as error:
                sock.close()
                if error.errno == errno.EADDRINUSE and not source:
                    continue
                raise CannotLook("no source port: %s" % error)
            except CannotLook:
                sock.close()
                raise
            failed = sock.connect_ex((address, port))
            if failed in (0, errno.EINPROGRESS):
                return sock
            sock.close()
            if failed not in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
                raise OSError(failed, os.strerror(failed))
        raise CannotLook("no free source port in %d tries" % BIND_TRIES)


def report_errors(sock):
    "What ICMP says comes at once, instead of at the end of all retransmissions."
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def family_of(host):
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
            return family
        except OSError:
            pass
    return None


class Look:
    "One try of one probe, from `begin` to `end`."

    silent = "timeout"

    def __init__(self, agent, job):
        self.agent, self.job, self.sock, self.facts, self.over = agent, job, None, {}, False
        self.events = 0
        self.began = agent.clock.running()

    def guarded(self, action, *arguments):
        try:
            action(*arguments)
        except (BlockingIOError, InterruptedError):
            pass
        except CannotLook as error:
            self.end("local", detail=str(error), **({"lacks": error.lacks} if error.lacks else {}))
        except OSError as error:
            self.end(WORD_OF.get(error.errno, "local"), detail=error.strerror or str(error))
        except Exception as error:
            self.end("agent", detail="%s: %s" % (type(error).__name__, error))

    def begin(self):
        self.after(self.job.timeout, self.late)
        family = family_of(self.job.host)
        if family is None:
            self.silent = "unresolved"
            self.agent.names.ask(self)
        else:
            self.open(family, self.job.host)

    def resolved(self, family, address, error):
        if error:
            self.end("unresolved", detail=error)
        else:
            self.facts["address"] = address
            self.silent = type(self).silent
            self.open(family, address)

    def late(self):
        self.end(self.silent)

    def after(self, seconds, action):
        def due():
            if not self.over:
                self.guarded(action)

        self.agent.at(self.agent.clock.now + seconds, due)

    def watch(self, sock, events):
        self.sock, self.events = sock, events
        self.agent.poll.register(sock, events, self)

    def want(self, events):
        if events != self.events:
            self.events = events
            self.agent.poll.modify(self.sock, events, self)

    def ready(self, events):
        if not self.over:
            self.guarded(self.progress)

    def let_go(self):
        if self.sock is not None:
            self.agent.poll.unregister(self.sock)
            self.sock.close()
            self.sock = None

    def end(self, verdict, **facts):
        if self.over:
            return
        self.over = True
        self.facts.update(facts)
        self.let_go()
        self.agent.done(self, verdict)

    def heard(self, data, nonce):
        "Judge an answer of a reflector."
        try:
            answer = json.loads(data.decode("utf-8"))
            echoed = answer["nonce"]
        except (ValueError, TypeError, KeyError):
            return self.end("wrong", detail="no reflector", said=show(data, 200))
        for name in ("pod", "node", "source", "source_port"):
            if isinstance(answer.get(name), (str, int)):
                self.facts[name] = answer[name][:256] if isinstance(answer[name], str) else (
                    answer[name]
                )
        if echoed != nonce:
            return self.end("wrong", detail="another nonce")
        wanted = self.job.options.get("pod")
        if wanted and wanted != answer.get("pod"):
            return self.end("wrong", detail="another pod")
        self.end("ok")


class Unknown(Look):
    def begin(self):
        self.end("agent", detail="unknown kind of probe")


class Stream(Look):
    "A connection; what is said over it, after `hold` seconds of silence, is for its kinds."

    protocol = 0

    def open(self, family, address):
        self.family, self.address, self.up, self.data = family, address, False, b""
        self.holding = False
        sock = self.agent.ports.connect(
            family, socket.SOCK_STREAM, address, self.job.port, protocol=self.protocol
        )
        self.watch(sock, selectors.EVENT_WRITE)

    def progress(self):
        if not self.up:
            failed = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                raise OSError(failed, os.strerror(failed))
            self.up, self.silent = True, "mute"
            self.facts["connect_ms"] = round(1000 * (self.agent.clock.running() - self.began), 3)
            hold = float(self.job.options.get("hold", "0"))
            if hold:
                self.holding = True
                self.after(hold, self.held)
                self.want(selectors.EVENT_READ)
            else:
                self.connected()
            return
        data = self.sock.recv(MOST_ANSWER)
        if self.holding:
            return self.end("eof", held=False, said=show(data, 200))
        self.data += data
        self.received(not data)

    def held(self):
        self.holding, self.facts["held"] = False, True
        self.connected()

    def ask(self, request):
        self.sock.send(request)
        self.want(selectors.EVENT_READ)


def segment_sizes(sock):
    "The longest segments (bytes, options included): what the peer's MSS allows, what ours told."
    info = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 104)
    options = LENGTH_OF_TIMESTAMPS if info[5] & TIMESTAMPS else 0
    return {
        "mss": struct.unpack_from("=I", info, 16)[0] + options,
        "own_mss": struct.unpack_from("=I", info, 84)[0],
    }


class Connect(Stream):
    def connected(self):
        if "mss" in self.job.options:
            self.facts.update(segment_sizes(self.sock))
        self.end("ok")


class Tcp(Stream):
    def connected(self):
        self.nonce = self.agent.nonce()
        self.ask(b"aksnet %s\n" % self.nonce.encode())

    def received(self, over):
        if b"\n" in self.data or len(self.data) >= MOST_ANSWER:
            self.heard(self.data, self.nonce)
        elif over:
            self.end("eof", said=show(self.data, 200))


class Sctp(Tcp):
    protocol = SCTP


class Http(Stream):
    def begin(self):
        path, host = self.job.options.get("path", "/"), self.job.options.get("name", self.job.host)
        if not re.match(r"/[!-~]*\Z", path) or not re.match(r"[!-.0-~]+\Z", host):
            return self.end("local", detail="no valid path or host name")
        if ":" in host and not host.startswith("["):
            host = "[%s]" % host
        self.most = min(MOST_ANSWER, int(self.job.options.get("bytes", "1024")))
        self.request = (
            "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: aksnet\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n" % (path, host, self.job.port)
        ).encode("ascii")
        Stream.begin(self)

    def connected(self):
        self.ask(self.request)

    def received(self, over):
        head, found, body = self.data.partition(b"\r\n\r\n")
        if not found:
            if over or len(self.data) > 65536:
                self.end("wrong" if self.data else "eof", said=show(self.data, 200))
            return
        status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
        if not status:
            return self.end("wrong", said=show(self.data, 200))
        length = re.search(rb"(?i)\r\ncontent-length: *(\d{1,15})", head)
        whole = length is not None and len(body) >= int(length.group(1))
        if over or whole or len(body) >= self.most:
            moved = re.search(rb"(?i)\r\nlocation: *([^\r\n]{1,500})", head)
            facts = {"location": show(moved.group(1), 500)} if moved else {}
            self.end("ok", status=int(status.group(1)), body=show(body, self.most), **facts)


class Datagrams(Look):
    "A few sends within the timeout, as one may get lost."

    def open(self, family, address):
        self.family = family
        self.watch(self.socket(family, address), selectors.EVENT_READ)
        self.send()
        for part in (4, 2):
            self.after(self.job.timeout / part, self.send)


class Udp(Datagrams):
    def socket(self, family, address):
        self.nonce = self.agent.nonce()
        source = int(self.job.options.get("from", "0"))
        return self.agent.ports.connect(family, socket.SOCK_DGRAM, address, self.job.port, source)

    def send(self):
        self.sock.send(b"aksnet %s\n" % self.nonce.encode())

    def progress(self):
        self.heard(self.sock.recv(MOST_ANSWER), self.nonce)


LOOKS.update(t=Tcp, x=Sctp, c=Connect, u=Udp, h=Http)
"""
