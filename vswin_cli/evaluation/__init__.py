"""How good is it: views of the published test protocols, accuracy, mAP, F1 and comparison."""
