"""Questions as people and agents ask them, with what an answer must say and must not say: graded without a model.

A question names its tenant, the calls that a sensible agent makes, and facts whose parts must stand together. Facts
are written down from what was planted, or come from `tests/oracle.py`: never from the code under test.
"""
