"""How much of a result is luck: tests of Sharpe ratios, overfitting, bootstraps. Pure."""
