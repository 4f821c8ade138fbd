"""What a row is asked for, as the bits that compiled code takes."""

LOSS, LSE, ENTROPY, ARGMAX, SCORE_SUM = 1, 2, 4, 8, 16
