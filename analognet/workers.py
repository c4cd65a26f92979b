"""Who does the tasks of a long run: threads or processes here, or a cluster's workers (`cluster`).

`each(work, common, tasks)` is all there is to them. Every worker computes with one BLAS thread: workers
beyond the cores only wait for one another, and the order in which a sum is added up, and with it its
last digit, must not depend on how many cores or workers there are.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from threadpoolctl import threadpool_limits

from analognet import process
from analognet.errors import SimulatorError

Common = TypeVar("Common")
Task = TypeVar("Task")
Result = TypeVar("Result")
Done = Generator[tuple[int, Result], None, None]


class Workers(Protocol):
    """Whoever does tasks."""

    def each(
        self, work: Callable[[Common, Task], Result], common: Common, tasks: Sequence[Task]
    ) -> Done[Result]:
        """(place in tasks, work(common, task)) as they are done. Whatever goes wrong, none is begun after.

        Threads take any callable. Elsewhere `work` is a function of a module, and `common` and the
        tasks can be pickled; `common` may be large, and is sent once.
        """
        ...


@dataclass(frozen=True)
class Threads:
    """Threads of this process: for work that waits on programs or on numpy."""

    count: int

    def each(
        self, work: Callable[[Common, Task], Result], common: Common, tasks: Sequence[Task]
    ) -> Done[Result]:
        with threadpool_limits(limits=1, user_api="blas"), _threads(self.count) as pool:
            yield from _as_done({pool.submit(work, common, task): k for k, task in enumerate(tasks)})


@dataclass(frozen=True)
class Processes:
    """Processes of this machine: for work in Python itself. They end when this one does."""

    count: int

    def each(
        self, work: Callable[[Common, Task], Result], common: Common, tasks: Sequence[Task]
    ) -> Done[Result]:
        count = max(1, min(self.count, len(tasks)))
        with ProcessPoolExecutor(count, initializer=_begin, initargs=(work, common)) as pool:
            try:
                yield from _as_done({pool.submit(_work, task): k for k, task in enumerate(tasks)})
            except BrokenProcessPool:
                raise SimulatorError(
                    "a worker process ended before its work was done (was it killed, or out of memory?); "
                    "what was done is kept: run the same command again, with fewer --jobs"
                ) from None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads of one caller. Where it fails, or at an interrupt, those not begun never are, and programs that
    the others wait for are ended; programs of threads that are not ours go on.
    """
    ours = process.Group()
    with ThreadPoolExecutor(
        max_workers=max(1, count), initializer=process.join, initargs=((*process.groups(), ours),)
    ) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            process.kill_all(ours)
            raise


def _as_done(futures: dict[Future[Result], int]) -> Done[Result]:
    waiting = dict(futures)
    for future in as_completed(futures):
        yield waiting.pop(future), future.result()


_given: list[Any] = []  # of a worker process: the work, and what its tasks have in common


def _begin(work: Callable[[Any, Any], Any], common: Any) -> None:
    process.die_with_parent()
    threadpool_limits(limits=1, user_api="blas")
    _given[:] = [work, common]


def _work(task: Any) -> Any:
    work, common = _given
    return work(common, task)


def in_order(done: Done[Result], count: int, progress: Callable[[int, int], None] | None) -> list[Result]:
    """All results in the order of their tasks; progress(done, total) after each."""
    found: dict[int, Result] = {}
    for k, result in done:
        found[k] = result
        if progress:
            progress(len(found), count)
    return [found[k] for k in range(count)]


def in_threads(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    jobs: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """work(task) of every task in threads that wait for programs, `jobs` at a time, as `in_order` gives it."""
    with _threads(jobs) as pool:
        done = _as_done({pool.submit(work, task): k for k, task in enumerate(tasks)})
        return in_order(done, len(tasks), progress)
