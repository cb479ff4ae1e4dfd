"""The doctor: finds out why a network does not learn. Works on any PyTorch loop.

from training import doctor

with doctor.watch(network, optimiser) as patient:
    for images, labels in loader:
        ...
patient.report()
"""

from training.doctor.findings import Finding
from training.doctor.watch import Patient, watch

__all__ = ["Finding", "Patient", "watch"]
