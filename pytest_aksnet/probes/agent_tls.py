"""TLS in the agent, as text of its script: a handshake, and the certificate whatever it is worth.

The standard library shows a certificate only where it trusts it. One that it does not trust is
fetched by a second handshake and read here, as far as names, issuer and times go.
"""

TLS = r"""
OF_NAMES = {b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU"}
ALT_NAMES, MOST_NAMES = b"\x55\x1d\x11", 32


def fields(data, at, end):
    "(tag, start, end) of the DER values in a part of data."
    found = []
    while at < end:
        tag, size, at = data[at], data[at + 1], at + 2
        if size > 127:
            count = size & 127
            size, at = int.from_bytes(data[at:at + count], "big"), at + count
        if at + size > end:
            raise ValueError("bad length")
        found.append((tag, at, at + size))
        at += size
    return found


def inside(data, field):
    return fields(data, field[1], field[2])


def name_text(data, field):
    parts = []
    for part in inside(data, field):
        for pair in inside(data, part):
            kind, value = inside(data, pair)[:2]
            label = OF_NAMES.get(data[kind[1]:kind[2]])
            if label:
                parts.append("%s=%s" % (label, show(data[value[1]:value[2]], 128)))
    return ",".join(parts[:8])


def time_text(data, field):
    digits = show(data[field[1]:field[2]], 15).rstrip("Z")
    if len(digits) == 12:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    parts = re.match(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\Z", digits)
    return "%s-%s-%sT%s:%s:%sZ" % parts.groups() if parts else ""


def certificate_facts(data):
    "Subject, issuer, times (ISO 8601) and names of an X.509 certificate in DER."
    [whole] = fields(data, 0, len(data))
    parts = inside(data, inside(data, whole)[0])
    parts = parts[1:] if parts[0][0] == 0xA0 else parts
    issuer, validity, subject = parts[2], parts[3], parts[4]
    begin, end = inside(data, validity)
    names = []
    for part in parts[6:]:
        if part[0] != 0xA3:
            continue
        for extension in inside(data, inside(data, part)[0]):
            items = inside(data, extension)
            if data[items[0][1]:items[0][2]] != ALT_NAMES:
                continue
            for tag, start, stop in inside(data, inside(data, items[-1])[0])[:MOST_NAMES]:
                if tag == 0x82:
                    names.append(show(data[start:stop], 255))
                elif tag == 0x87 and stop - start in (4, 16):
                    family = socket.AF_INET if stop - start == 4 else socket.AF_INET6
                    names.append(socket.inet_ntop(family, data[start:stop]))
    return {
        "subject": name_text(data, subject),
        "issuer": name_text(data, issuer),
        "not_before": time_text(data, begin),
        "not_after": time_text(data, end),
        "names": names,
    }


CONTEXTS = {}


def context_for(ssl, verify, ca):
    "What a handshake trusts; to read all roots takes longer than the handshake, so once."
    key = ca if verify else False
    if key not in CONTEXTS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif ca is not None:
            context.load_verify_locations(cadata=ca)
        else:
            context.load_default_certs()
        CONTEXTS[key] = context
    return CONTEXTS[key]


class Tls(Stream):
    "Verified for a name (`name`, else the host) against the pod's own trusted roots, or `ca`."

    verify = True

    def connected(self):
        import ssl

        self.ssl = ssl
        context = context_for(ssl, self.verify, self.job.options.get("ca"))
        name = self.job.options.get("name") or self.job.host
        plain, self.sock = self.sock, None
        self.agent.poll.unregister(plain)
        wrapped = context.wrap_socket(
            plain, server_hostname=name, do_handshake_on_connect=False
        )
        self.watch(wrapped, selectors.EVENT_WRITE)
        self.progress = self.shake
        self.shake()

    def shake(self):
        ssl = self.ssl
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            return self.want(selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            return self.want(selectors.EVENT_WRITE)
        except ssl.SSLCertVerificationError as error:
            self.facts.update(verified=False, why=str(error.verify_message)[:300])
            self.verify = False
            self.let_go()
            del self.progress
            return self.open(self.family, self.address)
        except ssl.SSLEOFError as error:
            return self.end("eof", detail=str(error)[:300])
        except ssl.SSLError as error:
            return self.end("wrong", detail="no TLS: %s" % (error.reason or error))
        if self.verify:
            self.facts["verified"] = True
        try:
            self.facts.update(certificate_facts(self.sock.getpeercert(True)))
        except (ValueError, IndexError, TypeError) as error:
            self.facts["unreadable"] = str(error)[:300]
        self.end("ok", version=self.sock.version())


LOOKS.update(s=Tls)
"""
