"""How the agent counts lost datagrams, as text of its script.

One socket sends a row of datagrams with a gap between them, so that no buffer on the way overflows,
and counts which of them a reflector answers. Nothing is sent twice.
"""

LOSS = r"""
class Loss(Look):
    "Ends with `sent` and `answered`; without any answer it is silent."

    def begin(self):
        family = family_of(self.job.host)
        if family is None:
            self.agent.names.ask(self)
        else:
            self.open(family, self.job.host)

    def open(self, family, address):
        self.count = min(5000, int(self.job.options.get("count", "100")))
        self.gap = float(self.job.options.get("gap_ms", "2")) / 1000
        self.waiting_for, self.sent, self.answered = set(), 0, 0
        sock = self.agent.ports.connect(family, socket.SOCK_DGRAM, address, self.job.port)
        self.watch(sock, selectors.EVENT_READ)
        self.send()

    def send(self):
        nonce = self.agent.nonce()
        self.waiting_for.add(nonce)
        self.sent += 1
        try:
            self.sock.send(b"aksnet %s\n" % nonce.encode())
        finally:
            last = self.sent == self.count
            self.after(self.job.timeout if last else self.gap, self.late if last else self.send)

    def late(self):
        self.end("ok" if self.answered else "timeout", sent=self.sent, answered=self.answered)

    def progress(self):
        while True:
            try:
                answer = json.loads(self.sock.recv(MOST_ANSWER).decode("utf-8"))
                nonce = answer["nonce"]
            except (ValueError, TypeError, KeyError):
                return self.end("wrong", detail="no reflector")
            wanted = self.job.options.get("pod")
            if wanted and answer.get("pod") != wanted:
                return self.end("wrong", detail="another pod")
            if nonce in self.waiting_for:
                self.waiting_for.discard(nonce)
                self.answered += 1
            if self.answered == self.count:
                return self.late()


LOOKS.update(l=Loss)
"""
