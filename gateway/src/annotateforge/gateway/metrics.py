"""What the gateway counts."""

from prometheus_client import Counter, Gauge, Histogram

_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = Counter(
    "annotateforge_http_requests", "HTTP requests that have been answered.", ["method", "route", "status"]
)
SECONDS = Histogram(
    "annotateforge_http_request_seconds",
    "Seconds from a request's headers to the end of its answer.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
WATCHERS = Gauge("annotateforge_watchers", "WebSockets that watch a job.")
WATCHED_JOBS = Gauge("annotateforge_watched_jobs", "Jobs that are watched through this process.")


class Tally:
    """Counts the requests of one route. Looking up labels would take longer than the counting."""

    def __init__(self, route: str) -> None:
        self._route = route
        self._requests: dict[tuple[str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    def add(self, method: str, status: int, seconds: float) -> None:
        """Count one request that was answered with `status` after `seconds`."""
        # Whatever else clients send as a method is one, so that they cannot fill the memory with names.
        method = method if method in _METHODS else "other"
        requests = self._requests.get((method, status))
        if requests is None:
            requests = self._requests[method, status] = REQUESTS.labels(method, self._route, status)
        requests.inc()
        duration = self._seconds.get(method)
        if duration is None:
            duration = self._seconds[method] = SECONDS.labels(method, self._route)
        duration.observe(seconds)
