"""Workers of a dask cluster: a scheduler's, on this machine or many, or a few made here for one run.

What goes to a worker is a function of this package by name, values, and who we are: a worker with another
AnalogNet, Python, numpy, scipy or (where it is asked to run it) ngspice refuses its first task, as its
figures would not be ours. Dask does a task again whose worker died; the values that all tasks share are a
task's result too, so that they are not lost with the worker that held them.

Dask unpickles what its connections bring, and so runs whatever the other end wants: docs/cluster.md.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import logging
import pickle
import platform
import queue
import re
import signal
import sys
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from threadpoolctl import threadpool_info, threadpool_limits

from analognet.errors import AnalogNetError, SimulatorError, ToolMissing, UsageError
from analognet.names import printable
from analognet.program import program_digest
from analognet.simulation import ngspice_version
from analognet.workers import Common, Done, Result, Task

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL: Final = "local"
INSTALL: Final = "pip install 'analognet[cluster]'"
CONNECT_S: Final = 15.0  # for a scheduler to answer
JOIN_S: Final = 60.0  # for its first worker to be there
ALONE_S: Final = 300.0  # without any worker, in the middle of a run
LARGEST_PORT: Final = 65535
AHEAD: Final = (
    3  # tasks handed out for each thread there is: none waits for the next, and a scheduler holds few
)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_LOOK_S: Final = 1.0  # how often workers are counted while nothing comes
_RECOUNT: Final = 64  # tasks, after which the workers are counted again
_NOTES: Final = 3
_FETCH_S: Final = 120.0  # for one result, before it is asked for again
_ADDRESS: Final = re.compile(
    r"(tcp|tls)://[^\s/:@\[\]]+:[0-9]{1,5}|(tcp|tls)://\[[0-9a-fA-F:.]+\]:[0-9]{1,5}"
)
_log = logging.getLogger("analognet.cluster")

Identity = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Cluster:
    """A scheduler that answers at an address, and whose workers are as we are. who: us, see `identity`; notes: what the
    user should know of the workers.
    """

    address: str
    client: Client
    who: Identity
    notes: tuple[str, ...] = ()

    def each(
        self, work: Callable[[Common, Task], Result], common: Common, tasks: Sequence[Task]
    ) -> Done[Result]:
        """As `Workers.each`. Raises what the work raises, and SimulatorError where the cluster fails."""
        import dask

        run = uuid.uuid4().hex
        given = pickle.dumps((work, common))
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": len(given) + (1 << 30)}):
            shared = self._told(self.client.submit, _same, given, key=f"analognet_common-{run}", pure=False)
        waiting: dict[Any, tuple[int, Future]] = {}
        finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
        left = iter(enumerate(tasks))
        room, done, counted = self._room(), 0, 0
        try:
            while True:
                while len(waiting) < room and (following := next(left, None)) is not None:
                    k, task = following
                    key = (f"analognet_task-{run}", k)  # one group: dask gives it out to whoever is idle
                    future = self._told(self.client.submit, _do, shared, self.who, task, key=key, pure=False)
                    waiting[key] = (k, future)
                    future.add_done_callback(finished.put)
                if not waiting:
                    return
                for future, result in self._results(self._next(finished)):
                    k, _ = waiting.pop(future.key)
                    done += 1
                    yield k, result
                if done >= counted + _RECOUNT:  # workers come and go
                    counted, room = done, self._room()
        finally:
            with contextlib.suppress(Exception):  # of a scheduler that is gone there is nothing to call off
                self.client.cancel([future for _, future in waiting.values()], force=True)

    def _room(self) -> int:
        threads = sum(int(w["nthreads"]) for w in self._workers().values())
        return AHEAD * max(1, threads)

    def _workers(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._told(self.client.scheduler_info)["workers"]
        return found

    def _next(self, finished: queue.SimpleQueue[Future]) -> list[Future]:
        """The tasks that are done, failed or lost, one at least. Raises SimulatorError where none can come."""
        seen = time.monotonic()
        while True:
            try:
                found = [finished.get(timeout=_LOOK_S)]
            except queue.Empty:
                seen = self._last_seen(seen)
                continue
            while not finished.empty():
                found.append(finished.get())
            return found

    def _results(self, futures: list[Future]) -> Iterator[tuple[Future, Any]]:
        """What finished tasks have found, in one message; one by one where that fails."""
        try:
            results = self.client.gather(futures)
        except Exception:
            for future in futures:
                yield future, self._result(future)
        else:
            yield from zip(futures, results, strict=True)

    def _result(self, future: Future) -> Any:
        """A finished task's result, which dask makes again where the worker that had it is gone."""
        seen = time.monotonic()
        while True:
            try:
                return self._told(future.result, timeout=_FETCH_S)
            except TimeoutError:
                seen = self._last_seen(seen)

    def _last_seen(self, before: float) -> float:
        """When there was a worker last. Raises SimulatorError where that was too long ago."""
        now = time.monotonic()
        if self._workers():
            return now
        if now - before > ALONE_S:
            raise SimulatorError(
                f"scheduler {self.address} has had no worker for {ALONE_S:g} s; "
                "what was done is kept: start workers, and run the same command again"
            )
        return before

    def _told(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """The call's result; dask's own errors in our words."""
        from concurrent.futures import CancelledError

        from distributed.scheduler import KilledWorker

        try:
            return call(*args, **options)
        except AnalogNetError:
            raise
        except KilledWorker as e:
            raise SimulatorError(
                f"a task was given up after {e.allowed_failures + 1} workers died with it (out of memory? see their "
                "logs); what was done is kept: give each worker more memory, and run the same command again"
            ) from None
        except (CancelledError, OSError, RuntimeError) as e:  # a TimeoutError is an OSError
            if self.client.status == "running" and not isinstance(e, CancelledError):
                raise
            raise SimulatorError(
                "the scheduler was lost in the middle of the run; what was done is kept: run the same command again"
            ) from None


@contextmanager
def open_cluster(address: str, jobs: int, *, ngspice: bool = False) -> Iterator[Cluster]:
    """The cluster of a scheduler at `tcp://HOST:PORT` (or tls://), or of `jobs` processes here for `local`.

    ngspice: whether workers must have ours. Raises UsageError for another address, ToolMissing without
    dask.distributed here, or AnalogNet and what it needs there; SimulatorError where there is no answer
    within `CONNECT_S`, or no worker within `JOIN_S`.
    """
    if address != LOCAL and not (
        _ADDRESS.fullmatch(address) and 0 < int(address.rpartition(":")[2]) <= LARGEST_PORT
    ):
        raise UsageError(
            f"--scheduler '{printable(address)}': write tcp://HOST:PORT (or tls://HOST:PORT) of a dask scheduler, "
            f"or {LOCAL}"
        )
    try:
        importlib.import_module("distributed")
    except ImportError:
        raise ToolMissing(f"--scheduler needs dask.distributed, which is not installed: {INSTALL}") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong, we say ourselves
    with _local(jobs) if address == LOCAL else _connected(address) as client:
        found = Cluster(address, client, identity(ngspice))
        _wait(found)
        yield replace(found, notes=_check(found, ngspice))


def _connected(address: str) -> Client:
    """A client of a scheduler. Raises SimulatorError where none answers in time.

    In a thread of its own: to whoever accepts a connection and then says nothing, dask listens for ever.
    """
    import distributed

    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    given_up = threading.Event()

    def connect() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions: we compare them
            try:
                found = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
            except Exception as e:
                answers.put(e)
                return
        if given_up.is_set():
            found.close()
        answers.put(found)

    threading.Thread(target=connect, daemon=True).start()
    try:
        found = answers.get(timeout=CONNECT_S + 1.0)
    except queue.Empty:
        given_up.set()
        found = TimeoutError("something accepts connections there, and says nothing")
    if isinstance(found, Exception):
        raise SimulatorError(
            f"no dask scheduler answers at {address} within {CONNECT_S:g} s: is it running, and can this "
            f"machine reach it? ({printable(found, 200)})"
        )
    return found


@contextmanager
def _local(jobs: int) -> Iterator[Client]:
    """A scheduler in this process and worker processes, which only we can talk to: on the loopback interface,
    by TLS with a certificate that nobody else has.
    """
    import dask
    import distributed

    # an HTTP server there is always; it gets no pages
    settings: dict[str, list[str]] = {
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with (
        tempfile.TemporaryDirectory(prefix="analognet-", ignore_cleanup_errors=True) as place,
        dask.config.set({**settings, "temporary-directory": place}),
        distributed.LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            security=_own_security(),
            dashboard_address=None,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
            local_directory=place,
            preload=[__name__],
            memory_limit=0,  # as without dask: the system's limits hold
        ) as cluster,
        distributed.Client(cluster, timeout=CONNECT_S, set_as_default=False) as client,
    ):
        yield client


def _own_security() -> Any:
    from distributed.security import Security

    try:
        return Security.temporary()
    except ImportError:
        raise ToolMissing(
            f"--scheduler {LOCAL} needs the package cryptography, which is not installed: {INSTALL}"
        ) from None


def _wait(cluster: Cluster) -> None:
    """Until there is a worker."""
    end = time.monotonic() + JOIN_S
    while not cluster._workers():
        if time.monotonic() > end:
            raise SimulatorError(
                f"scheduler {cluster.address} has no worker after {JOIN_S:g} s; start one with: "
                "dask worker tcp://HOST:PORT"
            )
        time.sleep(0.1)


def _check(cluster: Cluster, ngspice: bool) -> tuple[str, ...]:
    """Every worker there is, before any work; answers what the user should know. Raises ToolMissing."""
    try:
        answers = cluster._told(cluster.client.run, _seen, ngspice, on_error="return")
    except AnalogNetError:
        raise
    except Exception as e:  # an answer that cannot even be read
        raise SimulatorError(
            f"workers of {cluster.address} cannot be used: {printable(repr(e), 300)}"
        ) from None
    notes = []
    for worker, answer in sorted(answers.items()):
        theirs, kernels = answer if isinstance(answer, tuple) else (answer, "")
        if isinstance(theirs, ImportError):
            raise ToolMissing(
                f"worker {worker} cannot import this AnalogNet ({printable(theirs, 200)}); install it there: "
                f"pip install analognet=={cluster.who['AnalogNet']}"
            )
        if isinstance(theirs, BaseException):
            raise SimulatorError(f"worker {worker} cannot be used: {printable(repr(theirs), 300)}")
        if line := difference(cluster.who, theirs):
            raise ToolMissing(f"worker {worker} {line}")
        if kernels != (here := _kernels()):
            notes.append(
                f"worker {worker} adds up with {printable(kernels)} where this machine does with {here}: last digits "
                "may differ"
            )
    _log.debug("%d workers", len(answers))
    return (*notes[:_NOTES], *([f"and {len(notes) - _NOTES} workers more"] if len(notes) > _NOTES else []))


def identity(ngspice: bool) -> Identity:
    """All that decides what a worker's figures are, beside what it is given."""
    packages = {name: version(name) for name in ("numpy", "scipy")}
    told = {"AnalogNet": version("analognet"), "its code and cells": program_digest()[:12]}
    told |= {"Python": ".".join(platform.python_version_tuple()[:2]), **packages}
    return told | ({"ngspice": _ngspice()} if ngspice else {})


def _ngspice() -> str:
    try:
        return ngspice_version()
    except ToolMissing:
        return "none"


def difference(ours: Identity, theirs: Identity) -> str | None:
    """How a worker differs, in words; None where it does not."""
    for key, here in ours.items():
        if (there := theirs.get(key, "none")) != here:
            return (
                f"has {key} {printable(there)} where this machine has {printable(here)}: its figures would not be "
                "these; install the same there"
            )
    return None


# --- on a worker


def dask_setup(_: Any) -> None:
    """What dask calls in each worker process of `local`: Ctrl-C, which a terminal tells all of them, is for us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _seen(ngspice: bool) -> tuple[Identity, str]:
    return identity(ngspice), _kernels()


def _kernels() -> str:
    """The library that multiplies matrices, and the processor it does so for."""
    blas = [i for i in threadpool_info() if i["user_api"] == "blas"]
    told = sorted({f"{i['internal_api']} {i['version']} {i.get('architecture', '')}".strip() for i in blas})
    return f"{platform.machine()} {', '.join(told)}".strip()


def _same(given: bytes) -> bytes:
    return given


def _do(given: bytes, who: Identity, task: Any) -> Any:
    """One task. Raises ToolMissing where this worker is not as the client is: it may have come later."""
    prepare()
    if line := difference(who, _identity("ngspice" in who)):
        raise ToolMissing(f"a worker on {printable(platform.node())} {line}")
    work, common = _opened(given)
    return work(common, task)


@cache
def prepare() -> None:
    """Once in a worker process: one BLAS thread, and memory that is freed stays with the process.

    Dask's nanny has glibc give back every 64 KiB, and map larger arrays anew each time: of a board's
    processor time that is a half, for page faults.
    """
    threadpool_limits(limits=1, user_api="blas")
    libc = ctypes.CDLL(None)
    if sys.platform == "linux" and hasattr(libc, "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
        libc.mallopt(_TRIM_THRESHOLD, 1 << 30)


_identity = cache(identity)


@lru_cache(maxsize=2)
def _opened(given: bytes) -> tuple[Callable[[Any, Any], Any], Any]:
    opened: tuple[Callable[[Any, Any], Any], Any] = pickle.loads(given)
    return opened
