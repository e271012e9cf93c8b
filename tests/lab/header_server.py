"""A program for pods of tests: it says who answers, and what one header of the request was."""

_PROGRAM = """
import http.server, json, os
class Say(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = {"pod": os.environ["HOSTNAME"], "header": self.headers.get("%s")}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8080), Say).serve_forever()
"""
READY = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}
"""Further fields of the container that runs it."""


def tells_header(name: str) -> list[str]:
    """The command; it answers with JSON: pod, and header, null where there is none."""
    return ["python3", "-c", _PROGRAM % name]
