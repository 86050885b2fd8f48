"""The fastest matrix product."""

import torch

from vswin_cli.bench.ceiling import best_products, ceiling_of
from vswin_cli.bench.timing import measure

CPU = torch.device("cpu")


def test_the_ceiling_is_the_fastest_product():
    products, tried = best_products(CPU, torch.float32, [(300, 16, 64)])
    assert tried >= 2
    assert len(products) <= 3
    timings = measure([product.workload for product in products], 1)
    ceiling = ceiling_of("float32", products, tried, timings)
    rates = [product.gflops(timings[product.workload.name]) for product in products]
    assert ceiling.gflops == max(rates) > 0
