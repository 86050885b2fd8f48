"""The machine that figures are measured on."""

import torch

from vswin_cli.bench.machine import describe_machine, synchronise

CPU = torch.device("cpu")


def test_the_machine_describes_itself():
    machine = describe_machine(CPU, ("peer 1.0",))
    assert machine.processor
    assert 1 <= machine.usable_cores <= machine.logical_cores
    assert machine.threads == torch.get_num_threads()
    assert (machine.device, machine.peers) == ("cpu", ("peer 1.0",))
    synchronise(CPU)
