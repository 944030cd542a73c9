"""Networks trained side by side."""

import math

import numpy as np
import pytest
from builders import random_codes

from motifloom import networks, search, steps
from motifloom.presets import DeepBindPreset
from motifloom.search import Judge, Look, Pool, Training, train_together

LENGTH = 16
PRESET = DeepBindPreset(n_kernels=4, kernel_size=5, batch_size=4, dropout=0.25, learning_rate=0.01)


def pool_of(n=20, fresh=True):
    targets = (np.arange(n) < n // 2).astype(np.float32)
    return Pool(random_codes(0, n, LENGTH), targets, 2, fresh, seed=3)


def judge_of(n=20):
    targets = (np.arange(n) % 2).astype(np.float32)
    return Judge(random_codes(1, n, LENGTH), targets, lambda targets, logits: 0.5)


def training_of(key, steps=23, preset=PRESET, chosen=None, looks=None, **more):
    network = networks.start_network(preset, LENGTH, "dna", "cross-entropy", key)
    chosen = np.ones(20, bool) if chosen is None else chosen
    looks = (10, 15, steps) if looks is None else looks
    return Training(network, chosen, np.arange(20), key, steps, looks, **more)


def various():
    presets = (PRESET, DeepBindPreset(n_kernels=20, kernel_size=8, hidden_units=3, batch_size=8))
    return [training_of(key, 15 + key, presets[key % 2]) for key in range(5)]


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("threads", [1, 3])
def test_company_and_threads_change_nothing(threads, fresh):
    together = various()
    train_together(together, pool_of(fresh=fresh), judge_of(), threads)
    for number, training in enumerate(together):
        alone = various()[number]
        train_together([alone], pool_of(fresh=fresh), judge_of(), 1)
        assert training.theta.tobytes() == alone.theta.tobytes()
        assert training.seen == alone.seen


def test_looks_come_when_they_should_and_training_ends_in_time():
    training = training_of(1)
    train_together([training], pool_of(), judge_of())
    assert [look.step for look in training.seen] == [10, 15, 23]
    assert (training.done, training.status) == (23, "done")
    assert all(math.isfinite(look.loss) and look.score == 0.5 for look in training.seen)


def test_rows_outside_the_fold_change_nothing():
    chosen = np.arange(20) % 4 != 0
    results = []
    for other in (1, 2):
        pool = pool_of()
        codes = pool.codes.copy()
        codes[~chosen] = random_codes(other, int((~chosen).sum()), LENGTH)
        # Without shuffles: these are drawn for all rows in one go.
        pool = Pool(codes, pool.targets)
        training = training_of(1, chosen=chosen)
        train_together([training], pool, judge_of())
        results.append(training.theta.tobytes())
    assert results[0] == results[1]


def test_all_wait_for_each_other_where_a_look_may_stop_some():
    trainings, seen = [training_of(key, looks=(7, 16, 23)) for key in range(3)], []

    def after_look(step):
        seen.append((step, [training.done for training in trainings]))
        if step == 7:
            trainings[1].stopped = True

    train_together(trainings, pool_of(), judge_of(), 2, after_look=after_look)
    assert seen == [(7, [7, 7, 7]), (16, [16, 7, 16]), (23, [23, 7, 23])]
    assert [training.status for training in trainings] == ["done", "stopped", "done"]


def test_waiting_changes_no_weights():
    free, waiting = ([training_of(key, looks=(7, 16, 23)) for key in range(2)] for _ in range(2))
    train_together(free, pool_of(), judge_of())
    train_together(waiting, pool_of(), judge_of(), after_look=lambda step: None)
    assert [a.theta.tobytes() for a in free] == [b.theta.tobytes() for b in waiting]


def test_the_best_weights_are_kept():
    training = training_of(2, keep_best=True)
    losses = iter([0.5, 0.3, 0.4])
    kept = []
    note = training.note_look

    def note_look(look, theta):
        kept.append(theta.copy())
        note(Look(look.step, look.train_loss, next(losses), look.score), theta)

    training.note_look = note_look
    train_together([training], pool_of(), judge_of())
    assert training.finished().theta.tolist() == kept[1].tolist()
    assert training.best_loss == 0.3


def test_patience_ends_a_training():
    training = training_of(3, 40, looks=tuple(range(5, 41, 5)), patience=2)
    training.best_loss = -1.0  # never beaten
    train_together([training], pool_of(), judge_of())
    assert (training.status, training.done) == ("stopped", 10)


@pytest.mark.parametrize(
    ("drop_dead", "threshold", "dropped"),
    # Penalties may open a kernel again whose threshold is above 0.
    [(True, -1, True), (False, -1, False), (True, 0.5, False)],
)
def test_a_network_whose_kernels_are_closed_is_dropped(drop_dead, threshold, dropped):
    training = training_of(4, 60, looks=(10, 20, 40, 60), drop_dead=drop_dead)
    at = steps.offsets(training.network.shape)
    training.theta[at[2] : at[3]] = threshold
    training.theta[: at[1]] = -1
    train_together([training], pool_of(), judge_of())
    assert (training.status, training.done) == (("dead", 20) if dropped else ("done", 60))
    assert [look.step for look in training.seen] == [10, 20, 40, 60]
    assert {look.score for look in training.seen} == {0.5}


def test_outputs_that_rounding_makes_equal_are_not_dropped():
    preset = DeepBindPreset(n_kernels=4, kernel_size=5, batch_size=4, learning_rate=1e-12)
    training = training_of(4, 60, preset, looks=(10, 20, 60), drop_dead=True)
    training.theta[:-1] *= 1e-6
    train_together([training], pool_of(), judge_of())
    assert (training.status, training.done) == ("done", 60)


def test_a_network_that_tells_only_what_it_learned_from_is_not_dropped():
    training = training_of(4, 60, looks=(10, 20, 60), drop_dead=True)
    judge = judge_of()
    judge.codes[:] = 4
    train_together([training], pool_of(), judge)
    assert (training.status, training.done) == ("done", 60)


def groups_of(scores):
    """Two trainings a group with the scores seen, [groups, 2, looks]."""
    trainings = []
    for group in scores:
        for seen in group:
            training = training_of(0)
            training.seen = [Look(i + 1, 0, 0, score) for i, score in enumerate(seen)]
            trainings.append(training)
    return trainings, np.repeat(np.arange(len(scores)), 2)


def test_best_mean():
    trainings, groups = groups_of([[[0.5, 0.9], [0.7, 0.3]], [[0.6, 0.6], [0.6, 0.6]]])
    assert search.best_mean(trainings, groups, 0) == (pytest.approx(0.6), 1)
    assert search.best_mean(trainings, groups, 1) == (pytest.approx(0.6), 1)
    trainings[1].failed = True
    assert search.best_mean(trainings, groups, 0) == (-math.inf, 0)


def test_best_mean_of_folds_without_a_score():
    nan = math.nan
    trainings, groups = groups_of([[[nan, nan], [0.4, 0.5]], [[nan, 0.7], [0.4, 0.5]]])
    assert search.best_mean(trainings, groups, 0) == (-math.inf, 0)
    assert search.best_mean(trainings, groups, 1) == (pytest.approx(0.6), 2)


def test_stop_worse_half():
    trainings, groups = groups_of([[[0.5], [0.5]], [[0.8], [0.6]], [[0.6], [0.6]], [[0.9], [0.1]]])
    search.stop_worse_half(trainings, groups, 2)
    assert [training.stopped for training in trainings[::2]] == [True, False, False, True]


def test_an_epoch_does_not_depend_on_who_shuffles():
    from concurrent.futures import ThreadPoolExecutor

    codes = random_codes(5, 3000, LENGTH)
    pool = Pool(codes, np.ones(3000, np.float32), 3)
    with ThreadPoolExecutor(3) as workers:
        together = pool.epoch(2, workers)[0]
    assert together.tolist() == pool.epoch(2)[0].tolist()
