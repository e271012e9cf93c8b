"""The agent for images without python3: POSIX sh (dash, bash, busybox ash) and the tools it finds.

Speaks the protocol of `agent` for TCP, CONNECT, DNS, HTTP and ICMP; any other probe is `local`, as
is whatever a tool reports that has more than one meaning. Words that are no plain host, number or
path are refused before any tool sees them. There is no repeating, and 32 tools run at once.
"""

from pytest_aksnet.model.probing import AgentScript

LEASE_S = 30.0

SCRIPT = r"""
LC_ALL=C
export LC_ALL
set -f
LEASE=$2
AT_ONCE=32

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf '%s\n' "$1"; }
# Hundredths of a second since boot.
now() {
  read -r up _ </proc/uptime
  clock=${up%.*}${up#*.}
}
clean() { printf '%s' "$1" | tr '\n' ' ' | tr -cd 'A-Za-z0-9 .,:;_/()=+-' | cut -c "1-${2:-300}"; }
number() { case $1 in '' | *[!0-9]*) return 1 ;; esac; }
plain() { case $1 in '' | -* | *[!A-Za-z0-9.:_/-]*) return 1 ;; esac; }
quoted() {
  list=
  for one in $1; do list="$list${list:+,}\"$(clean "$one" 255)\""; done
  printf '[%s]' "$list"
}

TIMEOUT=
if timeout 1 true >/dev/null 2>&1; then TIMEOUT="timeout"
elif timeout -t 1 true >/dev/null 2>&1; then TIMEOUT="timeout -t"; fi
bounded() { if [ -n "$TIMEOUT" ]; then $TIMEOUT "$@"; else shift; "$@"; fi; }
NC=
if have nc; then
  case $(nc -h 2>&1) in *BusyBox*) NC=busybox ;; *) NC=other ;; esac
fi

# What a tool's own words mean; nothing certain is `local`.
mean() {
  case $1 in
  *refused*) v=refused ;;
  *reset*) v=reset ;;
  *nreachable* | *"o route to host"*) v=unreach ;;
  *"bad address"* | *"not known"* | *"ould not resolve"* | *"ame resolution"*) v=unresolved ;;
  *) v=local ;;
  esac
}

look_tcp() {
  if [ "$NC" = other ]; then
    out=$(printf 'aksnet %s\n' "$nonce" | bounded $((t + 1)) nc -v -w "$t" "$host" "$port" 2>&1)
    case $out in
    *'{"pod": '*"\"nonce\": \"$nonce\""*)
      v=ok
      for name in pod source; do
        value=${out##*"\"$name\": \""}
        x="$x,\"$name\":\"$(clean "${value%%\"*}" 255)\""
      done ;;
    *"timed out"*) v=timeout ;;
    *succeeded* | *open*) v=mute ;;
    *) mean "$out" ;;
    esac
  elif have curl; then
    look_curl && x="$x,\"via\":\"http\""
  elif [ "$NC" = busybox ]; then
    # It says "timed out" with a connection and without one: then nothing is known.
    out=$(printf 'aksnet %s\n' "$nonce" | bounded $((t + 1)) nc -w "$t" "$host" "$port" 2>&1)
    case $out in *"\"nonce\": \"$nonce\""*) v=ok ;; *) mean "$out" ;; esac
  else
    out="no tool for TCP that tells one failure from another"
  fi
}

look_connect() {
  if [ "$NC" = other ]; then
    out=$(bounded $((t + 1)) nc -v -z -w "$t" "$host" "$port" 2>&1 </dev/null) && v=ok && return
    case $out in *"timed out"*) v=timeout ;; *) mean "$out" ;; esac
  elif have curl; then
    look_telnet
  else
    out="no tool for TCP that tells one failure from another"
  fi
}

# Says nothing to whoever listens, where an HTTP request would be data.
look_telnet() {
  case $host in *:*) url="telnet://[$host]:$port" ;; *) url="telnet://$host:$port" ;; esac
  out=$(curl -gsS --noproxy '*' -m "$t" -w ' %{time_connect}' "$url" 2>&1 </dev/null)
  code=$?
  case $code in
  0) v=ok ;;
  28) case ${out##* } in 0.0000* | 0) v=timeout ;; *) v=ok ;; esac ;;
  7)
    out=$(curl -gsv --noproxy '*' -m "$t" -o /dev/null "$url" 2>&1 </dev/null)
    mean "$out" ;;
  *) mean "$out" ;;
  esac
}

look_curl() {
  case $host in *:*) url="http://[$host]:$port$path" ;; *) url="http://$host:$port$path" ;; esac
  out=$(curl -gsS --noproxy '*' -m "$t" -w ' %{http_code} %{time_connect}' "$url" 2>&1 </dev/null)
  code=$?
  connected=${out##* }
  rest=${out% *}
  case $code in
  0)
    v=ok
    number "${rest##* }" && x="$x,\"status\":${rest##* }"
    x="$x,\"body\":\"$(clean "${rest% *}" 512)\"" ;;
  28) case $connected in 0.0000* | 0) v=timeout ;; *) v=mute ;; esac ;;
  52) v=eof ;;
  56) v=reset ;;
  7)
    # Only its verbose words tell why.
    out=$(curl -gsv --noproxy '*' -m "$t" -o /dev/null "$url" 2>&1 </dev/null)
    mean "$out" ;;
  *) mean "$out" ;;
  esac
  [ "$v" = ok ]
}

look_http() {
  if have curl; then
    look_curl
  elif have wget; then
    case $host in *:*) url="http://[$host]:$port$path" ;; *) url="http://$host:$port$path" ;; esac
    out=$(bounded $((t + 1)) wget -q -O - -T "$t" "$url" 2>&1 </dev/null)
    code=$?
    status=${out##*HTTP/1.[01] }
    status=${status%% *}
    if [ "$code" = 0 ]; then
      v=ok x="$x,\"status\":200,\"body\":\"$(clean "$out" 512)\""
    elif [ "$status" != "$out" ] && number "$status"; then
      v=ok x="$x,\"status\":$status"
    else
      mean "$out"
    fi
  else
    out="neither curl nor wget"
  fi
}

look_dns() {
  plain "$name" || { out="no valid name"; return; }
  server=$host
  if have dig; then
    out=$(dig +time="$t" +tries=1 ${tcp:+"+tcp"} ${server:+"@$server"} -t "$type" \
      -q "$name" +noall +comments +answer 2>&1 </dev/null)
    rcode=${out##*status: }
    rcode=${rcode%%,*}
    case $out in
    *"status: "*) v=ok ;;
    *"onnection refused"*) v=refused ;;
    *"timed out"* | *"no servers could be reached"*) v=timeout ;;
    *) mean "$out" ;;
    esac
    found=$(printf '%s\n' "$out" | while read -r _ _ _ kind data; do
      [ "$kind" = "$type" ] && printf '%s ' "$data"
    done)
    aliases=$(printf '%s\n' "$out" | while read -r _ _ _ kind data; do
      [ "$kind" = CNAME ] && [ "$type" != CNAME ] && printf '%s ' "$data"
    done)
  elif have nslookup && [ "$type" = A ]; then
    out=$(bounded "$t" nslookup "$name" ${server:+"$server"} 2>&1 </dev/null)
    rcode=NOERROR aliases=
    case $out in
    *NXDOMAIN*) v=ok rcode=NXDOMAIN ;;
    *SERVFAIL*) v=ok rcode=SERVFAIL ;;
    *REFUSED*) v=ok rcode=REFUSED ;;
    *"Name:"*) v=ok ;;
    *"onnection refused"*) v=refused ;;
    *"timed out"* | *"no servers could be reached"*) v=timeout ;;
    *) v=local ;;
    esac
    answers=${out#*Name:}
    [ "$answers" = "$out" ] && answers=
    found=$(printf '%s\n' "$answers" | while read -r label one two _; do
      case $label in Address*) ;; *) continue ;; esac
      for data in "$one" "$two"; do
        case $data in *[!0-9.]*) ;; *.*.*.*) printf '%s ' "$data" ;; esac
      done
    done)
  else
    out="neither dig nor a type that nslookup can ask for"
  fi
  [ "$v" = ok ] || return
  x="$x,\"rcode\":\"$(clean "$rcode" 20)\",\"name\":\"$(clean "$name" 255)\""
  x="$x,\"records\":$(quoted "$found"),\"aliases\":$(quoted "$aliases")"
}

look_icmp() {
  have ping || { out="no ping"; return; }
  out=$(bounded $((t + 1)) ping -n -c 1 -W "$t" "$host" 2>&1 </dev/null)
  code=$?
  case $out in
  *"bytes from"*) v=ok ;;
  *ermission* | *"not permitted"*) v=local ;;
  *nreachable*) v=unreach ;;
  *"100% packet loss"*) [ "$code" = 1 ] && v=timeout ;;
  *) mean "$out" ;;
  esac
}

# b, t0, then the words of one probe.
probe() {
  b=$1 t0=$2 i=$3 kind=$4 host=$5 port=$6 seconds=$7
  shift 7
  v=local x= out= path=/ name= type=A tcp=
  nonce="$b.$i.$t0"
  t=${seconds%%.*}
  [ "$t" = "$seconds" ] || t=$((t + 1))
  valid=1
  [ "$host" = - ] && host=
  [ -z "$host" ] || plain "$host" || valid=
  case $host in */*) valid= ;; esac
  number "$port" && number "$t" || valid=
  for word; do
    value=${word#*=}
    plain "$value" || valid=
    case $word in
    path=*) path=$value ;;
    name=*) name=$value ;;
    type=*) type=$value ;;
    tcp=*) tcp=$value ;;
    bytes=* | once=* | pod=*) ;;
    *) valid= ;;
    esac
  done
  now
  began=$clock
  if [ -z "$valid" ]; then
    out="not a probe that a shell may run"
  else
    [ "$t" -gt 0 ] || t=1
    case $kind in
    t) look_tcp ;;
    c) look_connect ;;
    d) look_dns ;;
    h) look_http ;;
    i) look_icmp ;;
    *) out="needs python3 in the image" ;;
    esac
  fi
  now
  [ "$v" = ok ] || x="$x,\"detail\":\"$(clean "$out")\""
  times="\"ms\":$((10 * (clock - began))),\"at\":$((10 * (clock - t0)))"
  say "\"b\":$b,\"i\":$i,\"v\":\"$v\",$times,\"x\":{${x#,}}"
}

# Answers every probe of a list that begins within the budget, then says how many.
run_list() {
  now
  t0=$clock
  printf '%s' "$3" | {
    started=0
    while read -r line; do
      now
      [ $((clock - t0)) -ge $((100 * $2)) ] && break
      probe "$1" "$t0" $line &
      started=$((started + 1))
      [ $((started % AT_ONCE)) -eq 0 ] && wait
    done
    wait
    now
    say "\"b\":$1,\"end\":$started,\"of\":$4,\"ms\":$((10 * (clock - t0))),\"stall\":0"
  }
}

# What the client says, and a tick in each second: no shell can read with a time limit everywhere.
merge() {
  (while sleep 1; do printf 'tick\n' || exit; done) &
  printf 'merge %s\n' "$(exec sh -c 'echo "$PPID"')"
  while read -r line; do printf '%s\n' "$line"; done
  printf 'over\n'
}

over() {
  kill "$merge" $lists 2>/dev/null
  exit "$1"
}

serve() {
  lists= todo= count=0 missed=0 merge=
  while read -r word one two three rest; do
    missed=$((missed + 1))
    [ "$word" = tick ] || missed=0
    case $word in
    tick) [ "$missed" -lt "$LEASE" ] || over 4 ;;
    over) over 3 ;;
    merge)
      [ -n "$merge" ] || say "\"hello\":1,\"agent\":\"sh\",\"pid\":$$"
      merge=${merge:-$one} ;;
    ping) number "$one" && say "\"pong\":$one" ;;
    list)
      if number "$one" && number "$three" && [ "$three" -gt 0 ]; then
        id=$one budget=${two%%.*} of=$three count=$three todo=
        number "$budget" || budget=0
      fi ;;
    p)
      todo="$todo$one $two $three $rest
"
      count=$((count - 1))
      if [ "$count" -eq 0 ]; then
        run_list "$id" "$((budget + 1))" "$todo" "$of" </dev/null &
        lists="$lists $!"
      fi ;;
    *) say "\"bad\":\"unknown word\"" ;;
    esac
  done
}

merge | serve | {
  n=0
  while read -r line; do
    printf '{"n":%d,%s}\n' "$n" "$line"
    n=$((n + 1))
  done
}
"""

# dd reads byte by byte, so that the lines behind the script stay in the stream.
_STUB = 'eval "$(dd bs=1 count="$1" 2>/dev/null)"'


def script(lease_s: float = LEASE_S) -> AgentScript:
    """The agent for pods without python3; it exits after `lease_s` seconds, about, in silence."""
    seconds = max(1, round(lease_s))
    words = ("sh", "-c", _STUB, "sh", str(len(SCRIPT.encode())), str(seconds))
    return AgentScript(argv=words, text=SCRIPT, lease_s=seconds)
