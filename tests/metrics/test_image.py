from math import isnan

import numpy as np

from oddlens.metrics import auroc, average_precision, f1_max, image_metrics


def test_all_metrics_of_a_worked_example():
    found = image_metrics([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    assert found.auroc == 0.75
    assert found.ap == 1 / 2 * 1 + 1 / 2 * 2 / 3
    assert (found.f1_max, found.f1_max_threshold) == (0.8, 0.35)
    assert (found.n_positive, found.n_negative) == (2, 2)


def test_they_are_the_plain_functions():
    generator = np.random.default_rng(5)
    labels, scores = generator.random(99) < 0.4, generator.normal(size=99)
    found = image_metrics(labels, scores)
    assert found.auroc == auroc(labels, scores)
    assert found.ap == average_precision(labels, scores)
    assert (found.f1_max, found.f1_max_threshold) == f1_max(labels, scores)


def test_a_set_of_good_images_has_counts_and_no_metrics():
    found = image_metrics([False, False], [0.3, 0.4])
    assert all(map(isnan, (found.auroc, found.ap, found.f1_max)))
    assert (found.n_positive, found.n_negative) == (0, 2)
