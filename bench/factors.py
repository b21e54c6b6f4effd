"""Fourteen factors of daily bars, in Qlib's expressions; its README times a set of fourteen that it never names."""

FOURTEEN = {
    "ROC20": "Ref($close,20)/$close",
    "MA5": "Mean($close,5)/$close",
    "MA20": "Mean($close,20)/$close",
    "STD20": "Std($close,20)/$close",
    "BETA20": "Slope($close,20)/$close",
    "RSQR20": "Rsquare($close,20)",
    "MAX20": "Max($high,20)/$close",
    "MIN20": "Min($low,20)/$close",
    "QTLU20": "Quantile($close,20,0.8)/$close",
    "RSV20": "($close-Min($low,20))/(Max($high,20)-Min($low,20)+1e-12)",
    "CORR20": "Corr($close,Log($volume+1),20)",
    "CORD20": "Corr($close/Ref($close,1),Log($volume/Ref($volume,1)+1),20)",
    "CNTP20": "Mean($close>Ref($close,1),20)",
    "VSTD20": "Std($volume,20)/($volume+1e-12)",
}
