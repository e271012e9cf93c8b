"""One HTTP request to the API server, with our credential and within its time.

Owns the connections that are kept open; the pool is shared by all threads and locks itself.
"""

import time
from collections.abc import Mapping
from urllib.parse import urlencode

import urllib3
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTClientObject

from pytest_aksnet.cluster.access import Access
from pytest_aksnet.cluster.problems import CONNECT_TIMEOUT_S, refusal, unreachable
from pytest_aksnet.cluster.retries import RetryCounter

USER_AGENT = "pytest-aksnet"
_SHORTEST_WAIT_S = 0.001
_UNAUTHORIZED = 401


class Http:
    """The connections to one API server. Requests repeated for a new credential are counted."""

    def __init__(self, access: Access, retries: RetryCounter) -> None:
        self._access = access
        self._retries = retries
        if not access.configuration.verify_ssl:
            # The kubeconfig chose it; a warning per request would fail runs with -W error.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._client = RESTClientObject(access.configuration)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._client.close()

    def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        *,
        read_s: float,
        deadline: float,
        renewed: bool = False,
    ) -> urllib3.HTTPResponse:
        """The answer, its body still to be read. A credential that is refused is renewed once.

        Takes `read_s` seconds of silence at most, and ends at `deadline` (time.monotonic()). Raises
        ApiRefused (4xx and 5xx), ApiUnreachable or EnvironmentProblem (TLS trust, no credential).
        """
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        if body is not None:
            merge = method == "PATCH"
            headers["Content-Type"] = f"application/{'merge-patch+' if merge else ''}json"
        authorization = self._access.credentials.authorization()
        if authorization:
            headers["Authorization"] = authorization
        url = self._access.server + path + (f"?{urlencode(query)}" if query else "")
        left = max(_SHORTEST_WAIT_S, deadline - time.monotonic())
        try:
            answer: urllib3.HTTPResponse = self._client.request(
                method,
                url,
                headers=headers,
                body=body,
                _request_timeout=(min(CONNECT_TIMEOUT_S, left), min(read_s, left)),
            ).response
            if answer.status < 400:
                self._access.experience.user_known = True
                return answer
            content = answer.data
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            raise unreachable(self._access, error) from error
        if (
            answer.status == _UNAUTHORIZED
            and not renewed
            and self._access.credentials.renew(authorization)
        ):
            self._retries.add(f"http {_UNAUTHORIZED}")
            return self.open(
                method, path, query, body, read_s=read_s, deadline=deadline, renewed=True
            )
        raise refusal(answer.status, content, answer.headers)
