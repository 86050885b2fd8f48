"""Evaluate models and results: published test protocols, accuracy, mAP, F1 and comparison."""
