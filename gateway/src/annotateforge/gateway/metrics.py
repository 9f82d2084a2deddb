"""What the gateway counts."""

from prometheus_client import Counter, Gauge, Histogram

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
