import threading

import pytest
import torch

from vswin_cli.models.network.cpu_threads import run_pieces

pytestmark = pytest.mark.slow


def test_every_piece_runs_once_and_the_caller_keeps_its_thread_count(num_threads):
    done = []
    run_pieces(done.append, range(20))
    assert sorted(done) == list(range(20))
    assert torch.get_num_threads() == num_threads


def test_each_piece_runs_in_a_thread_with_single_threaded_operations(num_threads):
    seen = set()
    run_pieces(lambda _: seen.add((threading.get_ident(), torch.get_num_threads())), range(50))
    if num_threads > 1:
        assert {threads for _, threads in seen} == {1}


def test_a_failing_piece_is_reported(num_threads):
    def work(piece):
        if piece == 3:
            raise ValueError("piece three")

    with pytest.raises(ValueError, match="piece three"):
        run_pieces(work, range(5))


def test_the_network_gives_the_same_numbers_with_any_number_of_threads():
    from tests.support.reference_logits import NETWORKS, formula_weights
    from vswin_cli.models.network.swin3d import VideoSwin

    network = VideoSwin(*NETWORKS["w1677"]).eval()
    network.load_state_dict(formula_weights({n: t.shape for n, t in network.state_dict().items()}))
    clip = torch.randn(2, 3, 33, 120, 100, generator=torch.Generator().manual_seed(3))
    before = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            with torch.inference_mode():
                results.append(network(clip))
    finally:
        torch.set_num_threads(before)
    with torch.no_grad():
        whole = network(clip)  # one tile
    assert len(next(iter(network._routes.values()))[0].regular) > 1
    torch.testing.assert_close(results[0], results[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(results[0], whole, atol=1e-5, rtol=0)
