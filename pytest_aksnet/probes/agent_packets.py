"""ICMP echo and path MTU in the agent, as text of its script, both without any privilege.

A ping socket needs the group to be in net.ipv4.ping_group_range; where it is not, ICMP is `local`
(we could not look) and the path MTU is found with UDP towards a reflector.
"""

PACKETS = r"""
IP_MTU_DISCOVER, IP_MTU, IPV6_MTU_DISCOVER, IPV6_MTU, ALWAYS_DF = 10, 14, 23, 24, 2
SMALLEST, LARGEST = 128, 65535
SHORTEST_WAIT_S, SENDS = 0.1, 3


def ping_socket(family):
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    try:
        return socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)
    except OSError as error:
        raise CannotLook(
            "no ping socket (%s); net.ipv4.ping_group_range decides" % (error.strerror or error)
        )


def echo_request(family, number, payload):
    kind = 128 if family == socket.AF_INET6 else 8
    return struct.pack("!BBHHH", kind, 0, 0, 0, number & 0xFFFF) + payload


class Icmp(Datagrams):
    def socket(self, family, address):
        sock = ping_socket(family)
        try:
            report_errors(sock)
            sock.connect((address, 0))
        except BaseException:
            sock.close()
            raise
        self.nonce, self.number = self.agent.nonce().encode(), 0
        return sock

    def send(self):
        self.number += 1
        self.sock.send(echo_request(self.family, self.number, self.nonce))

    def progress(self):
        if self.sock.recv(2048)[8:] == self.nonce:
            self.end("ok")


class PathMtu(Look):
    "The largest packet that gets there unfragmented: asked of the path, found by halves if silent."

    # Where pings are not answered at all, datagrams ask, if there is a port for them.

    def open(self, family, address):
        self.step = 0
        sock = None
        if self.job.options.get("via", "icmp") == "icmp":
            try:
                sock = ping_socket(family)
                sock.connect((address, 0))
            except CannotLook:
                if "via" in self.job.options or not self.job.port:
                    raise
                sock = None
        self.ask_by(family, address, sock)

    def ask_by(self, family, address, ping):
        self.family, self.address, self.icmp = family, address, ping is not None
        sock = ping
        if sock is None:
            sock = self.agent.ports.connect(family, socket.SOCK_DGRAM, address, self.job.port)
        self.watch(sock, selectors.EVENT_READ)
        report_errors(sock)
        v6 = family == socket.AF_INET6
        self.level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
        sock.setsockopt(self.level, IPV6_MTU_DISCOVER if v6 else IP_MTU_DISCOVER, ALWAYS_DF)
        self.name, self.head = (IPV6_MTU if v6 else IP_MTU), (48 if v6 else 28)
        self.good, self.bad = 0, LARGEST + 1
        self.wait = self.job.timeout / 8
        self.facts.update(via="icmp" if self.icmp else "udp", out=self.known())
        self.try_size(SMALLEST)

    def known(self):
        return min(LARGEST, self.sock.getsockopt(self.level, self.name))

    def try_size(self, size):
        self.size, self.sends = size, 0
        self.step += 1
        self.send(self.step)

    def send(self, step):
        if step != self.step:
            return
        if self.sends == SENDS and self.good:
            return self.lost()
        if self.sends == SENDS and self.icmp and self.job.port and "via" not in self.job.options:
            self.let_go()
            self.facts["ping"] = "silent"
            return self.ask_by(self.family, self.address, None)
        self.sends += 1
        self.nonce = self.agent.nonce()
        payload = (b"aksnet %s " % self.nonce.encode()).ljust(self.size - self.head, b".")
        packet = echo_request(self.family, self.step, payload) if self.icmp else payload
        self.sent = self.agent.clock.running()
        self.after(self.wait, lambda: self.send(step))
        try:
            self.sock.send(packet)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            self.too_long()

    def progress(self):
        try:
            data = self.sock.recv(LARGEST)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            self.drain()
            return self.too_long()
        if self.icmp:
            arrived = b" %s " % self.nonce.encode() in data and len(data) + 20 >= self.size - 20
        else:
            try:
                answer = json.loads(data.decode("utf-8"))
                arrived = answer["nonce"] == self.nonce and answer["received"] == (
                    self.size - self.head
                )
            except (ValueError, TypeError, KeyError):
                return self.end("wrong", detail="no reflector", said=show(data, 200))
        if not arrived:
            return
        if not self.good:
            took = self.agent.clock.running() - self.sent
            self.wait = max(SHORTEST_WAIT_S, 8 * took)
        self.good, self.silent = self.size, "local"
        self.go_on(min(self.known(), self.bad - 1))

    def drain(self):
        try:
            while True:
                self.sock.recvmsg(512, 512, socket.MSG_ERRQUEUE)
        except OSError:
            pass

    def too_long(self):
        "The path has said how long a packet may be: asked again, the kernel knows it."
        self.facts["told"] = True
        self.bad = min(self.bad, self.size)
        self.go_on(min(self.known(), self.bad - 1))

    def lost(self):
        self.facts["silent_above"] = True
        self.bad = self.size
        self.go_on((self.good + self.bad) // 2)

    def go_on(self, size):
        if self.good >= self.bad - 1 or self.good >= self.known():
            self.end("ok", mtu=self.good)
        elif "silent_above" in self.facts:
            self.try_size((self.good + self.bad) // 2)
        else:
            self.try_size(max(size, self.good + 1))


LOOKS.update(i=Icmp, m=PathMtu)
"""
