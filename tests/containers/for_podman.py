#!/usr/bin/env python3
"""for_podman.py [--volume NAME=FOLDER]... [--env NAME=VALUE]... [--hosts FILE]: makes Kubernetes manifests what Podman
4.3 can play.

From standard input to standard output:
- A volume becomes a folder of this machine: Podman fills a ConfigMap's once and never swaps it, and gives a claim's no
  group (fsGroup).
- What a Secret holds is written plainly, for Podman does not decode it.
- Ports of containers go: Podman would publish each on this machine, where two pods cannot both have it.
- A StatefulSet becomes a Deployment whose claims are empty folders, a Job a Pod that is not started again.
- What is asked from the downward API is said here.
- HTTP probes go: Podman would ask with a curl in the container, where none is, and start it anew.
- Init containers stay after their work: Podman fails when it removes them too early.
--env adds to every container; --hosts is the /etc/hosts of a Deployment's, in place of a cluster's DNS. Services, budgets,
gRPC probes and preStop Podman leaves out by itself.
"""
import argparse
import base64
import sys

import yaml


def pair(text):
    name, _, value = text.partition("=")
    return name, value


def adapt_container(container, environment):
    container.pop("ports", None)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if "httpGet" in container.get(probe, {}):
            del container[probe]
    variables = container.setdefault("env", [])
    for variable in variables:
        if variable.pop("valueFrom", None):
            variable["value"] = "podman"
    variables += [{"name": name, "value": value} for name, value in environment]


def adapt_volume(volume, folders):
    if "secret" in volume:
        return volume
    return {"name": volume["name"], "hostPath": {"path": folders[volume["name"]], "type": "Directory"}}


def use_hosts(pod, hosts):
    pod.setdefault("volumes", []).append({"name": "hosts", "hostPath": {"path": hosts, "type": "File"}})
    for container in pod["containers"]:
        container.setdefault("volumeMounts", []).append({"name": "hosts", "mountPath": "/etc/hosts"})


def adapt(document, folders, environment, hosts):
    if document["kind"] in ("ConfigMap", "PersistentVolumeClaim"):
        return None
    if document["kind"] == "Secret":
        document["data"] = {key: base64.b64decode(value).decode() for key, value in document["data"].items()}
    if document["kind"] not in ("StatefulSet", "Deployment", "Job"):
        return document
    metadata = document["metadata"]
    metadata["annotations"] = {"io.podman.annotations.init.container.type": "always"}
    pod = document["spec"]["template"]["spec"]
    for container in pod["containers"] + pod.get("initContainers", []):
        adapt_container(container, environment)
    pod["volumes"] = [adapt_volume(volume, folders) for volume in pod.get("volumes", [])]
    if document["kind"] == "StatefulSet":
        document["kind"] = "Deployment"
        claims = document["spec"].pop("volumeClaimTemplates")
        pod["volumes"] += [{"name": claim["metadata"]["name"], "emptyDir": {}} for claim in claims]
        for field in ("serviceName", "podManagementPolicy"):
            del document["spec"][field]
    elif document["kind"] == "Deployment":
        if hosts:
            use_hosts(pod, hosts)
    else:
        pod["restartPolicy"] = "Never"
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}
    return document


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--volume", type=pair, action="append", default=[])
    parser.add_argument("--env", type=pair, action="append", default=[])
    parser.add_argument("--hosts")
    options = parser.parse_args()
    folders = dict(options.volume)
    documents = [adapt(document, folders, options.env, options.hosts) for document in yaml.safe_load_all(sys.stdin)]
    yaml.safe_dump_all([document for document in documents if document], sys.stdout)


if __name__ == "__main__":
    main()
