"""What a user of kubectl types in one session, and what a cluster answers: a table.

Each step is one command line as typed, the exit status, and regular expressions that its stdout and
stderr together must match (`sees`) or must not (`misses`). Steps follow one another in one
namespace, {ns}; {node} is a node's name, {dir} a folder of the user's own.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One command; with `retries` it is typed again until it shows what it should."""

    command: str
    sees: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
    code: int = 0
    stdin: str = ""
    retries: bool = False


def step(
    command: str,
    *sees: str,
    misses: tuple[str, ...] = (),
    code: int = 0,
    stdin: str = "",
    retries: bool = False,
) -> Step:
    return Step(command, sees, misses, code, stdin, retries)


POD = """
apiVersion: v1
kind: Pod
metadata: {name: tool, labels: {app: tool}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: "nicolaka/netshoot:v0.13", command: [sleep, infinity]}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {kubernetes.io/change-cause: first}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: python:3.12
        command: [python3, -m, http.server, "8080"]
        ports: [{containerPort: 8080, name: http}]
        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
"""
CRASH = """
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec:
  containers:
  - {name: main, image: "busybox:1.36", command: [sh, -c, "echo before; exit 3"]}
"""
STATEFUL = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "registry.k8s.io/pause:3.9"}]
"""
DAEMONS = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "registry.k8s.io/pause:3.9"}]
"""
BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 0, selector: {matchLabels: {app: web}}}
"""
KUSTOMIZATION = """
namePrefix: k-
configMapGenerator:
- {name: settings, literals: [a=1]}
"""

FIRST_STEPS = (
    # what there is
    step("version", r"Client Version: v1\.", r"Server Version: v1\."),
    step("cluster-info", "Kubernetes control plane.* is running at .*https://127.0.0.1"),
    step("api-versions", "apps/v1\n", "batch/v1\n", "networking.k8s.io/v1\n"),
    step("api-resources --namespaced=false", r"nodes +no +v1 +false +Node"),
    step("api-resources --api-group=apps -o name", "deployments.apps\n", "statefulsets.apps"),
    step("config view --minify", "current-context:", "server: https://127.0.0.1"),
    step("config current-context", r"\w"),
    step("auth whoami", "ATTRIBUTE +VALUE", r"Groups +\[.*system:authenticated"),
    step("auth can-i create pods", "yes"),
    step("auth can-i list nodes --as=system:serviceaccount:default:default", "no", code=1),
    step("explain pod.spec.containers.readinessProbe", "KIND: +Pod", "FIELD: +readinessProbe"),
    step("explain deployment.spec.strategy --recursive", "VERSION: +v1", "maxUnavailable"),
    step("get nodes -o wide", "INTERNAL-IP", r"{node} +Ready"),
    step("describe node {node}", "Taints: +<none>", "Non-terminated Pods:", "Lease:"),
    step("top nodes", "Metrics API not available", code=1),
    step("top pods", "Metrics API not available", code=1),
    # objects
    step("create namespace {ns}", "namespace/{ns} created"),
    step("create namespace {ns}", r"AlreadyExists.*namespaces \"{ns}\" already exists", code=1),
    step("create configmap settings --from-literal=a=1", "configmap/settings created"),
    step("create secret generic keys --from-literal=k=v", "secret/keys created"),
    step("get configmap settings -o jsonpath={.data.a}", "^1$"),
    step("describe secret keys", r"k: +1 bytes"),
    step("apply -f -", "pod/tool created", stdin=POD),
    step("apply -f -", "pod/tool unchanged", stdin=POD),
    step("diff -f -", r"^[-+] +app: other", code=1, stdin=POD.replace("app: tool", "app: other")),
    step("wait pod/tool --for=condition=Ready --timeout=20s", "pod/tool condition met"),
    step("get pod tool -o wide", r"tool +1/1 +Running +0 +\S+ +10\.", "READINESS GATES"),
    step("label pod tool tier=back", "pod/tool labeled"),
    step("label pod tool tier=front", "already has a value", code=1),
    step("annotate pod tool note=hello", "pod/tool annotated"),
    step("get pods -l tier=back -o name", "^pod/tool$"),
    step('patch pod tool -p \'{"metadata":{"labels":{"x":"y"}}}\'', "pod/tool patched"),
    step("exec tool -- sh -c 'echo $HOSTNAME'", "^tool$"),
    step("exec -i tool -- cat", "^typed$", stdin="typed\n"),
    step("exec tool -- sh -c 'exit 7'", "exit code 7", code=7),
    step("cp {dir}/file tool:/run/copied", ""),
    step("exec tool -- cat /run/copied", "^content$"),
    step("cp tool:/run/copied {dir}/back", ""),
    step("events --for pod/tool", r"Normal +Started", r"Normal +Scheduled"),
    step("describe pod tool", r"Status: +Running", r"Successfully assigned {ns}/tool to"),
)
FURTHER_STEPS = (
    # a Deployment's life
    step("apply -f -", "deployment.apps/web created", stdin=WEB),
    step("rollout status deployment/web --timeout=30s", "successfully rolled out"),
    step("get deploy,rs,pods", r"deployment.apps/web +2/2 +2 +2", "replicaset.apps/web-"),
    step("expose deployment web --port=80 --target-port=http", "service/web exposed"),
    step("describe service web", r"Endpoints: +10\.\S+:8080,10\.", r"TargetPort: +http/TCP"),
    step("exec tool -- curl -s -m 5 http://web/", "Directory listing", retries=True),
    step("scale deployment web --replicas=3", "deployment.apps/web scaled"),
    step("rollout status deployment web", "successfully rolled out"),
    step("set image deployment/web main=python:3.13", "image updated"),
    step("annotate deployment web kubernetes.io/change-cause=second --overwrite", "annotated"),
    step("rollout status deployment web --timeout=40s", "successfully rolled out"),
    step("rollout history deployment web", r"1 +first", r"2 +second"),
    step("rollout history deployment web --revision=2", "python:3.13"),
    step("rollout undo deployment web", "rolled back"),
    step("rollout status deployment web --timeout=40s", "successfully rolled out"),
    step("get deploy web -o jsonpath={.spec.template.spec.containers[0].image}", "python:3.12$"),
    step("rollout restart deployment web", "deployment.apps/web restarted"),
    step("rollout status deployment web --timeout=40s", "successfully rolled out"),
    step("rollout pause deployment web", "deployment.apps/web paused"),
    step("set env deployment/web A=1", "env updated"),
    step("rollout resume deployment web", "deployment.apps/web resumed"),
    step("rollout status deployment web --timeout=40s", "successfully rolled out"),
    step("describe deployment web", "NewReplicaSet: +web-", "ScalingReplicaSet +.*Scaled up"),
    step("autoscale deployment web --max=5", "HPA|horizontalpodautoscalers", code=1),
    step("edit deployment web", "deployment.apps/web edited"),
    step("get deploy web -o jsonpath={.metadata.annotations.edited}", "^yes$"),
    step("logs deployment/web --tail=5", "Found .* pods, using pod/web-"),
    # other workloads
    step("apply -f -", "statefulset.apps/db created", stdin=STATEFUL),
    step("rollout status statefulset db --timeout=30s", "complete|roll out complete"),
    step("get pods -l app=db -o name", "pod/db-0\npod/db-1"),
    step("rollout restart statefulset db", "restarted"),
    step("rollout status statefulset db --timeout=40s", "complete"),
    step("rollout undo statefulset db", "rolled back"),
    step("apply -f -", "daemonset.apps/agent created", stdin=DAEMONS),
    step("rollout status daemonset agent --timeout=30s", "successfully rolled out"),
    step("set image daemonset/agent main=registry.k8s.io/pause:3.10", "image updated"),
    step("rollout status daemonset agent --timeout=40s", "successfully rolled out"),
    step("rollout history daemonset agent", r"REVISION", r"\n2 "),
    step("describe daemonset agent", "Desired Number of Nodes Scheduled: 3"),
    step("create job once --image=busybox:1.36 -- echo done", "job.batch/once created"),
    step("wait job/once --for=condition=Complete --timeout=20s", "condition met"),
    step("logs job/once", "^done$"),
    step("get jobs", r"once +Complete +1/1"),
    step(
        "create cronjob tick --image=busybox:1.36 --schedule='*/5 * * * *' -- date",
        "cronjob.batch/tick created",
    ),
    step("create job now --from=cronjob/tick", "job.batch/now created"),
    step("describe cronjob tick", r"Schedule: +\*/5"),
    step("apply -f -", "pod/crash created", stdin=CRASH),
    step("get pod crash", r"crash +0/1 +(Error|CrashLoopBackOff) +[1-9]", retries=True),
    step("logs crash --previous", "^before$"),
    step("describe pod crash", "Exit Code: +3", "Back-off restarting failed container"),
    step("replace --force -f -", 'pod "crash" deleted', "pod/crash replaced", stdin=CRASH),
    step(
        "run talk --image=busybox:1.36 --restart=Never --attach --rm -- sh -c 'sleep 1; echo hi'",
        "hi",
        r'pod "talk" deleted',
    ),
    step("run slow --image=busybox:1.36 --restart=Never -- sh -c 'sleep 1; echo end'", "created"),
    step("wait pod/slow --for=jsonpath={.status.phase}=Running --timeout=20s", "condition met"),
    step("logs -f slow", "^end$"),
    # debugging
    step("debug tool --image=busybox:1.36 --container=dbg -- sleep 60", "", retries=False),
    step(
        "get pod tool -o jsonpath={.status.ephemeralContainerStatuses[0].state}",
        "running",
        retries=True,
    ),
    step("exec tool -c dbg -- echo inside", "inside"),
    step("debug node/{node} --image=busybox:1.36 -- sleep 60", "Creating debugging pod", code=0),
    # nodes
    step("taint nodes {node} key=value:NoSchedule", "tainted"),
    step("describe node {node}", "Taints: +key=value:NoSchedule"),
    step("taint nodes {node} key-", "untainted"),
    step("cordon {node}", "{node} cordoned"),
    step("get node {node}", "Ready,SchedulingDisabled"),
    step("apply -f -", "poddisruptionbudget.policy/web created", stdin=BUDGET),
    step("get pdb web", r"web +N/A +0 +0", retries=True),
    step(
        "drain {node} --ignore-daemonsets --force --delete-emptydir-data --pod-selector=app=web"
        " --timeout=7s",
        "Cannot evict pod as it would violate the pod's disruption budget",
        code=1,
    ),
    step("delete pdb web", 'poddisruptionbudget.policy "web" deleted'),
    step(
        "drain {node} --ignore-daemonsets --force --delete-emptydir-data --pod-selector=app=web",
        "{node} drained",
    ),
    step("get pods -l app=web -o wide", "Running", misses=("{node}",)),
    step("uncordon {node}", "{node} uncordoned"),
    # the end
    step("kustomize {dir}/kustom", "name: k-settings-"),
    step("apply -k {dir}/kustom", "configmap/k-settings-.* created"),
    step("get all", "deployment.apps/web", "daemonset.apps/agent", "job.batch/once"),
    step("delete deployment web --cascade=orphan", 'deployment.apps "web" deleted'),
    step("get rs -l app=web", "web-"),
    step("apply -f -", "deployment.apps/web created", stdin=WEB),
    step("rollout status deployment/web --timeout=30s", "successfully rolled out"),
    step("delete deployment web --cascade=foreground", 'deployment.apps "web" deleted'),
    step("get rs -l app=web", "No resources found"),
    step("delete pod tool --now", 'pod "tool" deleted'),
    step("get pod tool", r'Error from server \(NotFound\): pods "tool" not found', code=1),
)
LAST_STEP = step("delete namespace {ns} --timeout=60s", 'namespace "{ns}" deleted')
