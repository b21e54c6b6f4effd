FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    HOME=/tmp \
    NUMBA_CACHE_DIR=/srv/barlake/.machine-code \
    BARLAKE_HOME=/srv/barlake/data

# A user of its own; compose overrides the id with the host's, so that ./data stays the host user's.
RUN useradd --uid 1000 --no-create-home barlake
WORKDIR /srv/barlake
COPY . .
RUN pip install --no-cache-dir --editable . --constraint constraints.txt \
    && mkdir -p data && chown barlake: data \
    && python -m simulation_service.warming && chmod -R a+rwX .machine-code

USER barlake
EXPOSE 8000 8501
CMD ["uvicorn", "app.api.main:app", "--host", "0.0.0.0", "--port", "8000"]
