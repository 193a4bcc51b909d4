"""Spans of your own code: for strategies, scanners, and programs that work with the desk.

    from desk.tracing import current_carrier, traced

    @traced
    def price(bars): ...

    price(bars)                                            # a child of the span under way, else the root of a trace
    pool.submit(price, bars, carrier=current_carrier())    # the same in another thread or process

The spans go where the desk's own go: `[telemetry] otlp_endpoint`, and the file of `desk run --trace`. In a process
that is not the desk's, they go to OpenTelemetry's global tracer provider.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any, Final, TypeVar, overload

from opentelemetry import context, trace
from opentelemetry.trace import Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

R = TypeVar("R")

NAME: Final = "raydesk"
_propagator: Final = TraceContextTextMapPropagator()
_providers: Final[list[TracerProvider]] = []


def get_tracer() -> Tracer:
    """The desk's tracer, an ordinary OpenTelemetry tracer."""
    return (_providers[-1] if _providers else trace.get_tracer_provider()).get_tracer(NAME)


def use_provider(provider: TracerProvider) -> None:
    """Let this process's spans go to the provider: the desk calls this in its processes."""
    _providers[:] = [provider]


def current_carrier() -> dict[str, str]:
    """The span under way as W3C trace headers, for another thread, task or process; empty if there is none."""
    headers: dict[str, str] = {}
    _propagator.inject(headers)
    return headers


@contextmanager
def continued(carrier: Mapping[str, str] | None) -> Generator[None, None, None]:
    """Make the carrier's span the one under way. Without a valid one, the one under way stays."""
    if not carrier:
        yield
        return
    token = context.attach(_propagator.extract(carrier, context.get_current()))
    try:
        yield
    finally:
        context.detach(token)


@overload
def traced(function: Callable[..., R], /) -> Callable[..., R]: ...
@overload
def traced(*, name: str) -> Callable[[Callable[..., R]], Callable[..., R]]: ...
def traced(function: Callable[..., Any] | None = None, /, *, name: str = "") -> Callable[..., Any]:
    """Decorator: each call of the function (also of a coroutine function) is a span, named like the function or `name`.

    A call with the keyword `carrier` (see `current_carrier`) is a child of that span. An exception is recorded, and
    passes through.
    """
    if function is None:
        return partial(_wrapped, name=name)
    return _wrapped(function, name="")


def _wrapped(function: Callable[..., Any], *, name: str) -> Callable[..., Any]:
    span_name = name or function.__qualname__

    @contextmanager
    def span(carrier: Mapping[str, str] | None) -> Generator[None, None, None]:
        with continued(carrier), get_tracer().start_as_current_span(span_name):
            yield

    @wraps(function)
    def call(*args: Any, carrier: Mapping[str, str] | None = None, **kwargs: Any) -> Any:
        with span(carrier):
            return function(*args, **kwargs)

    @wraps(function)
    async def wait_for(*args: Any, carrier: Mapping[str, str] | None = None, **kwargs: Any) -> Any:
        with span(carrier):
            return await function(*args, **kwargs)

    return wait_for if iscoroutinefunction(function) else call
