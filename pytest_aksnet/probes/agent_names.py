"""DNS in the agent, as text of its script: its own queries, and names of other probes' hosts.

Names of hosts are looked up by the C library, as any program of the pod does, in threads; the DNS
probe speaks the wire format itself, so that it sees codes, aliases and truncation.
"""

NAMES = r"""
TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
MOST_RECORDS, MOST_THREADS = 64, 16


class Names:
    "The C library's look-ups, each in a thread; results come back through a pipe."

    def __init__(self, agent):
        self.agent, self.threads, self.idle = agent, 0, 0
        self.asked, self.found = collections.deque(), collections.deque()
        self.wanted = threading.Semaphore(0)
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        agent.poll.register(self.wake_read, selectors.EVENT_READ, self)

    def ask(self, look):
        if not re.match(r"[A-Za-z0-9_.-]{1,253}\Z", look.job.host):
            raise CannotLook("no valid host name")
        if self.threads < MOST_THREADS and len(self.asked) + 1 > self.idle:
            self.threads += 1
            threading.Thread(target=self.work, daemon=True).start()
        self.asked.append(look)
        self.wanted.release()

    def work(self):
        while True:
            self.idle += 1
            self.wanted.acquire()
            self.idle -= 1
            look = self.asked.popleft()
            try:
                first = socket.getaddrinfo(look.job.host, look.job.port, 0, socket.SOCK_STREAM)[0]
                self.found.append((look, first[0], first[4][0], ""))
            except OSError as error:
                self.found.append((look, 0, "", error.strerror or str(error)))
            except UnicodeError as error:
                self.found.append((look, 0, "", str(error)))
            os.write(self.wake_write, b".")

    def ready(self, _):
        os.read(self.wake_read, READ)
        while self.found:
            look, family, address, error = self.found.popleft()
            if not look.over:
                look.guarded(look.resolved, family, address, error)


def resolver_settings():
    "Servers, search list and ndots of /etc/resolv.conf."
    servers, search, ndots = [], [], 1
    try:
        with open("/etc/resolv.conf", encoding="utf-8", errors="replace") as file:
            for words in map(str.split, file):
                if words[:1] == ["nameserver"] and len(words) > 1 and family_of(words[1]):
                    servers.append(words[1])
                elif words[:1] in (["search"], ["domain"]):
                    search = [domain.rstrip(".") for domain in words[1:]]
                elif words[:1] == ["options"]:
                    for option in words[1:]:
                        if re.match(r"ndots:\d{1,2}\Z", option):
                            ndots = int(option[6:])
    except OSError as error:
        raise CannotLook("/etc/resolv.conf: %s" % error)
    return servers[:3], search, ndots


def write_name(name):
    wire = b""
    for label in name.rstrip(".").split("."):
        part = label.encode("ascii")
        if not 0 < len(part) < 64:
            raise CannotLook("no valid name: %r" % name)
        wire += bytes((len(part),)) + part
    return wire + b"\0"


def read_name(data, at):
    "A name and where the next field starts; a pointer must point back."
    labels, after, steps = [], 0, 0
    while True:
        size = data[at]
        if size >= 192:
            target = struct.unpack_from("!H", data, at)[0] & 0x3FFF
            after = after or at + 2
            steps += 1
            if target >= at or steps > 64:
                raise ValueError("bad pointer")
            at = target
        elif size == 0:
            return ".".join(labels) + ".", after or at + 1
        else:
            labels.append(show(data[at + 1:at + 1 + size]))
            at += 1 + size


def read_record(data, at, kind, size):
    if kind == 1 and size == 4:
        return socket.inet_ntop(socket.AF_INET, data[at:at + 4])
    if kind == 28 and size == 16:
        return socket.inet_ntop(socket.AF_INET6, data[at:at + 16])
    if kind in (5, 12):
        return read_name(data, at)[0]
    if kind == 33:
        return "%d %d %d " % struct.unpack_from("!HHH", data, at) + read_name(data, at + 6)[0]
    if kind == 16:
        return show(data[at + 1:at + size], 512)
    return data[at:at + min(size, 64)].hex()


class Dns(Look):
    "A query of our own. Without a host, the servers of resolv.conf are asked in turn."

    def begin(self):
        options = self.job.options
        self.servers, search, ndots = [self.job.host], [], 1
        if not self.job.host or options.get("search"):
            servers, search, ndots = resolver_settings()
            self.servers = [self.job.host] if self.job.host else servers
        if not self.servers or any(family_of(server) is None for server in self.servers):
            raise CannotLook("no address of a DNS server")
        name = options.get("name", "")
        self.type = TYPES[options.get("type", "A")]
        absolute = name.rstrip(".")
        self.candidates = [absolute]
        if options.get("search") and not name.endswith("."):
            longer = ["%s.%s" % (absolute, domain) for domain in search]
            first = [absolute] if absolute.count(".") >= ndots else []
            last = [] if first else [absolute]
            self.candidates = first + longer + last
        self.tcp, self.turn = bool(options.get("tcp")), 0
        self.after(self.job.timeout, self.late)
        self.next_name()
        if not self.tcp and not options.get("once"):
            for part in (4, 2):
                self.after(self.job.timeout / part, self.other_server)

    def next_name(self):
        self.name = self.candidates.pop(0)
        self.id = struct.unpack("!H", os.urandom(2))[0]
        header = struct.pack("!HHHHHH", self.id, 0x0100, 1, 0, 0, 0)
        self.query = header + write_name(self.name) + struct.pack("!HH", self.type, 1)
        self.go()

    def other_server(self):
        self.turn += 1
        self.go()

    def go(self):
        self.let_go()
        server = self.servers[self.turn % len(self.servers)]
        self.facts["server"] = server
        kind = socket.SOCK_STREAM if self.tcp else socket.SOCK_DGRAM
        sock = self.agent.ports.connect(family_of(server), kind, server, self.job.port or 53)
        self.data, self.up = b"", False
        self.watch(sock, selectors.EVENT_WRITE if self.tcp else selectors.EVENT_READ)
        if not self.tcp:
            sock.send(self.query)

    def progress(self):
        if not self.tcp:
            return self.read(self.sock.recv(65535))
        if not self.up:
            failed = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                raise OSError(failed, os.strerror(failed))
            self.up, self.silent = True, "mute"
            self.sock.send(struct.pack("!H", len(self.query)) + self.query)
            return self.want(selectors.EVENT_READ)
        data = self.sock.recv(65535)
        self.data += data
        if len(self.data) > 1 and len(self.data) >= 2 + struct.unpack_from("!H", self.data)[0]:
            self.read(self.data[2:])
        elif not data:
            self.end("eof")

    def read(self, data):
        try:
            ident, flags, questions, answers = struct.unpack_from("!HHHH", data)
            if ident != self.id or not flags & 0x8000:
                return
            at = 12
            for _ in range(questions):
                at = read_name(data, at)[1] + 4
            aliases, records = [], []
            for _ in range(min(answers, MOST_RECORDS)):
                at = read_name(data, at)[1]
                kind, _, _, size = struct.unpack_from("!HHIH", data, at)
                text = read_record(data, at + 10, kind, size)
                if kind == 5 and self.type != 5:
                    aliases.append(text)
                elif kind == self.type:
                    records.append(text)
                at += 10 + size
        except (IndexError, ValueError, struct.error) as error:
            if not flags & 0x0200:
                return self.end("wrong", detail="not readable: %s" % error)
        rcode = flags & 15
        if self.candidates and not records and rcode in (0, 3):
            return self.next_name()
        self.end(
            "ok",
            rcode=RCODES[rcode] if rcode < len(RCODES) else "RCODE%d" % rcode,
            name=self.name,
            records=records,
            aliases=aliases,
            truncated=bool(flags & 0x0200),
        )


LOOKS.update(d=Dns)
"""
