"""The script that runs as the main process of every netshoot pod, and the argv that starts it.

It answers any HTTP request, any line `aksnet NONCE` over TCP or SCTP and any UDP datagram, on the
same port or ports, with the source address that it saw and with its own name; to HTTP also with
what proxies on the way said of the client, to a nonce also with the nonce and, over UDP, the bytes
that came. It runs on the Python (3.8 or later) of the image, imports nothing of ours, and is
process 1 of its container: it stays trivial, and no client can end it.
"""

PORT = 8080

SCRIPT = r"""
import json, os, selectors, signal, socket, struct, sys, time

PORTS = [int(port) for port in sys.argv[1:] if port != "sctp"]
SCTP = 132
NAME = {"pod": os.environ.get("POD_NAME", ""), "node": os.environ.get("NODE_NAME", "")}
IPV6_RECVPKTINFO, IPV6_PKTINFO, IP_PKTINFO = 49, 50, 8
MAX_REQUEST, MAX_DATAGRAM, MAX_OPEN, BACKLOG, AT_ONCE, IDLE_S = 16384, 65535, 900, 2048, 64, 10
FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-client-cert")
poll = selectors.DefaultSelector()
clients = {}


def answer(peer, **more):
    body = dict(NAME, source=peer[0].split("%")[0], source_port=peer[1], **more)
    return json.dumps(body).encode() + b"\n"


def forwarded(request):
    found = {}
    for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        name = name.strip().lower().decode("ascii", "replace")
        if name in FORWARDED:
            found[name] = value.strip()[:800].decode("ascii", "replace")
    return {"forwarded": found} if found else {}


def nonce(data):
    return data[7:80].split()[0].decode("ascii", "replace") if data[7:80].strip() else ""


def listen(family, kind, host, port, protocol=0):
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind == socket.SOCK_DGRAM:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.bind((host, port))
    if kind == socket.SOCK_STREAM:
        sock.listen(BACKLOG)
    sock.setblocking(False)
    poll.register(sock, selectors.EVENT_READ, accept if kind == socket.SOCK_STREAM else echo)


def echo(sock):
    for _ in range(AT_ONCE):
        echo_one(sock)


def echo_one(sock):
    data, ancillary, _, peer = sock.recvmsg(MAX_DATAGRAM, 256)
    more = {"nonce": nonce(data), "received": len(data)} if data[:7] == b"aksnet " else {}
    reply_from = []
    for level, kind, info in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            asked = struct.unpack("I4s4s", info[:12])[2]
            reply_from.append((level, kind, struct.pack("I4s4s", 0, asked, bytes(4))))
        elif level == socket.IPPROTO_IPV6 and kind == IPV6_PKTINFO:
            reply_from.append((level, kind, info))
    sock.sendmsg([answer(peer, **more)], reply_from, 0, peer)


def accept(sock):
    for _ in range(AT_ONCE):
        client, peer = sock.accept()
        client.setblocking(False)
        if len(clients) >= MAX_OPEN:
            close(next(iter(clients)))  # the oldest: whoever asks at once has long been served
        clients[client] = [peer, b"", time.monotonic()]
        poll.register(client, selectors.EVENT_READ, serve)


def serve(client):
    peer, request, _ = clients[client]
    data = client.recv(4096)
    request += data
    clients[client][1] = request
    if request[:7] == b"aksnet " and b"\n" in request:
        client.send(answer(peer, nonce=nonce(request)))
        close(client)
        return
    if data and b"\r\n\r\n" not in request and len(request) < MAX_REQUEST:
        return
    if b"\r\n\r\n" in request:
        body = answer(peer, **forwarded(request))
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        head += "Content-Length: %d\r\n\r\n" % len(body)
        client.send(head.encode() + (b"" if request.startswith(b"HEAD ") else body))
    close(client)


def close(client):
    if clients.pop(client, None) is not None:
        poll.unregister(client)
        client.close()


def end(*_):
    os._exit(0)


signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
for port in PORTS:
    listen(socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0", port)
    listen(socket.AF_INET, socket.SOCK_DGRAM, "0.0.0.0", port)
    try:
        listen(socket.AF_INET6, socket.SOCK_STREAM, "::", port)
        listen(socket.AF_INET6, socket.SOCK_DGRAM, "::", port)
    except OSError as no_ipv6:
        print("IPv4 only: %s" % no_ipv6, flush=True)
for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    try:
        for port in PORTS if "sctp" in sys.argv else ():
            listen(family, socket.SOCK_STREAM, host, port, SCTP)
    except OSError as no_sctp:
        print("no SCTP with addresses such as %s: %s" % (host, no_sctp), flush=True)
        break
print("reflector on port %s" % ", ".join(map(str, PORTS)), flush=True)
while True:
    for key, _ in poll.select(5):
        try:
            key.data(key.fileobj)
        except BlockingIOError:
            pass
        except Exception:  # whatever one client does, the process that is the pod lives on
            close(key.fileobj)
    idle = time.monotonic() - IDLE_S
    for client in [c for c, (_, _, since) in clients.items() if since < idle]:
        close(client)
"""


def argv(*ports: int, sctp: bool = False) -> tuple[str, ...]:
    """The pod's command; PORT where no port is named.

    POD_NAME and NODE_NAME in its environment are the name it gives. SCTP is for those who look at
    it: a socket of it loads the kernel's module on the node, which no other pod of ours should do.
    """
    asked = ("sctp",) if sctp else ()
    return ("python3", "-u", "-c", SCRIPT, *map(str, ports or (PORT,)), *asked)
