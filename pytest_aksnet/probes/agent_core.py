"""The agent's loop, as text of its script: clock, lists, repeats, windows, lease and protocol.

The loop is one selector. Its clock counts only time in which the process ran: a frozen or busy
agent must not report a timeout that it caused itself. Python 3.8, standard library only.
"""

CORE = r"""
import collections, errno, heapq, json, os, re, resource, selectors, socket, struct, sys, threading
import time

LEASE_S = float(sys.argv[2])
TICK_S, MOST_COUNTED_S = 0.02, 0.03
LONGEST_LINE, MOST_WAITING_OUT, READ = 65536, 8 << 20, 65536
MOST_FLYING, MOST_TO_ONE, BURST = 2048, 256, 64
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.08
END_OF_INPUT, LEASE_OVER, BAD_INPUT = 3, 4, 5
ENCODE = json.JSONEncoder(separators=(",", ":")).encode
LOOKS = {}


class Clock:
    "Seconds in which this process ran; what it missed, frozen or busy, is counted as stalled."

    def __init__(self):
        self.now = self.stalled = 0.0
        self.real = time.monotonic()

    def advance(self, waiting):
        real = time.monotonic()
        passed, self.real = real - self.real, real
        counted = min(passed, MOST_COUNTED_S) if waiting else passed
        self.now += counted
        self.stalled += passed - counted

    def running(self):
        "Now, exact enough to measure with."
        return self.now + min(time.monotonic() - self.real, MOST_COUNTED_S)


class Job:
    "One probe of a list, with its repeats."

    def __init__(self, batch, words):
        self.batch, self.tries, self.streak, self.first = batch, 0, 0, ""
        self.pause = FIRST_PAUSE_S
        self.index, self.kind, self.host = int(words[1]), words[2], unquote(words[3])
        self.port, self.timeout = int(words[4]), float(words[5])
        self.options = dict(unquote_pair(word) for word in words[6:])
        self.until = frozenset(filter(None, self.options.pop("until", "").split(",")))
        self.within = float(self.options.pop("within", "0"))
        self.times = int(self.options.pop("times", "1"))


class Batch:
    "A list of probes: what of it is under way, and what was answered."

    def __init__(self, words):
        self.id, self.budget, self.count = int(words[1]), float(words[2]), int(words[3])
        self.came = self.answered = 0
        self.looks, self.over = set(), False


def unquote(text):
    if "%" not in text:
        return "" if text == "-" else text
    raw = re.sub(rb"%([0-9A-F]{2})", lambda m: bytes((int(m.group(1), 16),)), text.encode())
    return raw.decode("utf-8", "replace")


def unquote_pair(word):
    key, _, value = word.partition("=")
    return key, unquote(value)


def show(data, most=1024):
    "Bytes of others as text; what is no UTF-8 is escaped."
    return data[:most].decode("utf-8", "backslashreplace")


class Input:
    "Standard input, in lines."

    def __init__(self, agent):
        self.agent, self.rest = agent, b""

    def ready(self, _):
        try:
            data = os.read(0, READ)
        except BlockingIOError:
            return
        if not data:
            os._exit(END_OF_INPUT)
        self.agent.heard = time.monotonic()
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        if len(self.rest) > LONGEST_LINE:
            os._exit(BAD_INPUT)
        for line in lines:
            self.agent.take(line.decode("ascii", "replace"))


class Output:
    "Standard output: lines with numbers, written without waiting for the reader."

    def __init__(self, agent):
        self.agent, self.number, self.lines, self.rest, self.watched = agent, 0, [], b"", False

    def say(self, what):
        self.lines.append('{"n":%d,%s' % (self.number, ENCODE(what)[1:]))
        self.number += 1

    def full(self):
        return len(self.rest) > MOST_WAITING_OUT

    def ready(self, _):
        self.flush()

    def flush(self):
        if self.lines:
            self.rest += ("\n".join(self.lines) + "\n").encode("ascii")
            self.lines = []
        try:
            while self.rest:
                self.rest = self.rest[os.write(1, self.rest):]
        except BlockingIOError:
            pass
        except OSError:
            os._exit(END_OF_INPUT)
        if bool(self.rest) != self.watched:
            self.watched = not self.watched
            if self.watched:
                self.agent.poll.register(1, selectors.EVENT_WRITE, self)
            else:
                self.agent.poll.unregister(1)


class Agent:
    def __init__(self):
        self.poll, self.clock, self.out = selectors.DefaultSelector(), Clock(), Output(self)
        self.ports, self.names = Ports(), Names(self)
        self.heard = time.monotonic()
        self.batches, self.filling = {}, None
        self.waiting, self.parked = collections.deque(), {}
        self.flying, self.busy = 0, {}
        self.timers, self.order = [], 0
        self.tokens, self.token = os.urandom(5).hex(), 0
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST_FLYING + 64
        try:
            if soft < wanted:
                resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
        except (OSError, ValueError):
            pass
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.window = max(1, min(MOST_FLYING, soft - 48))

    def nonce(self):
        self.token += 1
        return "%s%x" % (self.tokens, self.token)

    # -- what the client says

    def take(self, line):
        words = line.split(" ")
        try:
            if words[0] == "ping":
                self.out.say({"pong": int(words[1]), "busy": self.flying + len(self.waiting)})
            elif words[0] == "list":
                self.filling = Batch(words)
            elif words[0] == "p":
                self.add(words)
            else:
                raise ValueError("unknown word")
        except Exception as error:
            self.out.say({"bad": "%s: %s" % (type(error).__name__, error), "line": line[:200]})

    def add(self, words):
        batch = self.filling
        batch.jobs = getattr(batch, "jobs", [])
        batch.jobs.append(Job(batch, words))
        batch.came += 1
        if batch.came == batch.count:
            self.filling = None
            self.batches[batch.id] = batch
            batch.began, batch.stalled = time.monotonic(), self.clock.stalled
            self.waiting.extend(batch.jobs)
            del batch.jobs

    # -- what it hears

    def done(self, look, verdict):
        job, batch = look.job, look.job.batch
        self.flying -= 1
        batch.looks.discard(look)
        target = (job.host, job.port)
        self.busy[target] -= 1
        if not self.busy[target]:
            del self.busy[target]
        parked = self.parked.get(target)
        if parked:
            self.waiting.appendleft(parked.popleft())
            if not parked:
                del self.parked[target]
        if batch.over:
            return
        now = time.monotonic()
        job.tries += 1
        job.first = job.first or verdict
        if job.until:
            job.streak = job.streak + 1 if verdict in job.until else 0
            left = job.within - (now - batch.began)
            if job.streak < job.times and left > job.pause:
                self.at(self.clock.now + job.pause, lambda: self.again(job))
                job.pause = min(LONGEST_PAUSE_S, 2 * job.pause)
                return
        ms = 1000 * (self.clock.running() - look.began)
        answer = {"b": batch.id, "i": job.index, "v": verdict, "ms": round(ms, 3)}
        answer["at"] = round(1000 * (now - batch.began), 3)
        if job.until:
            answer.update(tries=job.tries, first=job.first, streak=job.streak)
        if look.facts:
            answer["x"] = look.facts
        self.out.say(answer)
        batch.answered += 1
        if batch.answered == batch.count:
            self.finish(batch)

    def again(self, job):
        if not job.batch.over:
            self.waiting.append(job)

    def finish(self, batch):
        if batch.over:
            return
        batch.over = True
        del self.batches[batch.id]
        for look in list(batch.looks):
            look.end("agent")
        if batch.answered < batch.count:
            self.waiting = collections.deque(j for j in self.waiting if not j.batch.over)
            for target, jobs in list(self.parked.items()):
                kept = collections.deque(job for job in jobs if not job.batch.over)
                self.parked.pop(target)
                if kept:
                    self.waiting.extend(kept)
        self.out.say(
            {
                "b": batch.id,
                "end": batch.answered,
                "of": batch.count,
                "ms": round(1000 * (time.monotonic() - batch.began), 3),
                "stall": round(1000 * (self.clock.stalled - batch.stalled), 3),
            }
        )

    # -- the loop

    def at(self, when, action):
        self.order += 1
        heapq.heappush(self.timers, (when, self.order, action))

    def start_more(self):
        for _ in range(BURST):
            if not self.waiting or self.flying >= self.window or self.out.full():
                return
            job = self.waiting.popleft()
            target = (job.host, job.port)
            busy = self.busy.get(target, 0)
            if busy >= MOST_TO_ONE:
                self.parked.setdefault(target, collections.deque()).append(job)
                continue
            self.busy[target] = busy + 1
            self.flying += 1
            look = LOOKS.get(job.kind, Unknown)(self, job)
            job.batch.looks.add(look)
            look.guarded(look.begin)

    def wait_s(self):
        if self.waiting and self.flying < self.window and not self.out.full():
            return 0
        if not self.batches:
            return max(0.05, min(1.0, LEASE_S / 10))
        next_timer = self.timers[0][0] - self.clock.now if self.timers else TICK_S
        return max(0, min(TICK_S, next_timer))

    def run(self):
        os.set_blocking(0, False)
        os.set_blocking(1, False)
        self.poll.register(0, selectors.EVENT_READ, Input(self))
        hello = {"hello": 1, "agent": "python", "version": sys.version.split()[0]}
        self.out.say(dict(hello, pid=os.getpid(), window=self.window))
        while True:
            self.out.flush()
            waiting = bool(self.batches)
            for key, events in self.poll.select(self.wait_s()):
                key.data.ready(events)
            self.clock.advance(waiting)
            while self.timers and self.timers[0][0] <= self.clock.now:
                heapq.heappop(self.timers)[2]()
            self.start_more()
            now = time.monotonic()
            for batch in list(self.batches.values()):
                if now - batch.began > batch.budget:
                    self.finish(batch)
            if now - self.heard > LEASE_S:
                os._exit(LEASE_OVER)
"""
