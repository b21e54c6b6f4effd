"""Rule strategies, a file for each; ``strategy_service.rule.STRATEGIES`` finds them by name."""
