# The kit on a machine with Docker. From a clone:
#   docker build -t svqkit .
#   docker run --name svqkit --gpus all svqkit      (without a GPU: no --gpus)
#   docker cp svqkit:/svqkit/reports .
# `docker start -a svqkit` goes on where a stopped one was; `docker run … svqkit make test` gives another command.
FROM python:3.11-slim
# gcc is for torch.compile.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc git libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /svqkit
COPY . .
RUN make setup
CMD ["make", "repro"]
