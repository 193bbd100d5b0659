"""Contract suite of locks on the state."""

import threading

from img.application.ports.state_lock import StateLock


class StateLockContract:
    """Promises of every StateLock.

    Fixtures: ``lock``, which no process holds.
    """

    def test_work_that_began_before_a_collection_ends_for_it_when_it_ends(
        self, lock: StateLock
    ) -> None:
        before = lock.working()
        before.__enter__()
        with lock.collecting() as collecting:
            assert collecting is not None
            generation = collecting.generation
            assert not collecting.ended(generation)
        before.__exit__(None, None, None)

        with lock.collecting() as later:
            assert later is not None
            assert later.ended(generation)

    def test_work_that_begins_later_is_no_matter(self, lock: StateLock) -> None:
        with lock.collecting() as first:
            assert first is not None
            with lock.working(), lock.working():
                assert first.ended(first.generation)

        with lock.working(), lock.collecting() as second:
            assert second is not None
            assert second.generation > first.generation
            assert second.ended(first.generation)
            assert not second.ended(second.generation)

    def test_only_one_collects(self, lock: StateLock) -> None:
        begun, order = threading.Event(), []

        def collect_too() -> None:
            begun.set()
            with lock.collecting() as collecting:
                order.append(collecting is not None)

        with lock.collecting():
            with lock.collecting(wait=False) as other:
                assert other is None
            waiting = threading.Thread(target=collect_too)
            waiting.start()
            begun.wait()
            order.append(False)
        waiting.join()

        assert order == [False, True]

    def test_who_is_alone_keeps_work_from_beginning(self, lock: StateLock) -> None:
        begun = threading.Event()

        def work() -> None:
            with lock.working():
                begun.set()

        with lock.alone() as alone:
            assert alone
            worker = threading.Thread(target=work)
            worker.start()
            assert not begun.wait(0.05)
        worker.join()
        assert begun.is_set()

        with lock.working(), lock.alone() as alone:
            assert not alone

    def test_the_oldest_work_is_known(self, lock: StateLock) -> None:
        assert lock.oldest() is None
        with lock.working():
            first = lock.oldest()
            assert first is not None
            with lock.working():
                assert lock.oldest() == first
        assert lock.oldest() is None
