"""deploy/k8s as kustomize builds it, held against itself, the programs and the Dockerfile.

That it works is for tests/containers/run to show. The programs are in DIGIT_BIN_DIR.
"""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import yaml

from digitd_test import BIN, MODEL, run

FOLDERS = ("base", "model-configmap", "model-volume", "gateway", "training-job")
# What the kustomize 2.0 of kubectl 1.20 knows.
KUSTOMIZE_KEYS = {"bases", "resources", "images", "configMapGenerator", "generatorOptions", "patchesStrategicMerge"}
CONFIGMAP_LIMIT = 1 << 20


def read(path):
    with open(path) as file:
        return file.read()


def environment_of(container):
    return {entry["name"]: entry["value"] for entry in container["env"]}


def status_of(url, headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class ManifestsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        shutil.copytree("deploy/k8s", f"{cls.scratch.name}/k8s")
        shutil.copy(MODEL, f"{cls.scratch.name}/k8s/model-configmap/mnist.pt")
        cls.built = {}
        for folder in FOLDERS:
            built = run("kubectl", "kustomize", f"{cls.scratch.name}/k8s/{folder}")
            assert built.returncode == 0, built.stderr
            cls.built[folder] = list(yaml.safe_load_all(built.stdout))

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def one(self, folder, kind, name=None):
        found = [document for document in self.built[folder]
                 if document["kind"] == kind and name in (None, document["metadata"]["name"])]
        self.assertEqual(len(found), 1, f"{kind} in {folder}")
        return found[0]

    def pods(self):
        """(folder, pod spec) of everything that runs; the volumes are also those that a pod gets of its own."""
        for folder, documents in self.built.items():
            for document in documents:
                if document["kind"] in ("StatefulSet", "Deployment", "Job"):
                    claims = document["spec"].get("volumeClaimTemplates", [])
                    pod = document["spec"]["template"]["spec"]
                    volumes = pod.get("volumes", []) + [claim["metadata"] for claim in claims]
                    yield folder, {**pod, "volumes": volumes}

    def daemons(self):
        """(folder, pod spec, container, environment) of every digitd."""
        for folder, pod in self.pods():
            for container in pod["containers"]:
                if container["name"] == "digitd":
                    yield folder, pod, container, environment_of(container)

    def gateway(self):
        """Its pod spec and its container."""
        pod = self.one("gateway", "Deployment")["spec"]["template"]["spec"]
        self.assertEqual(len(pod["containers"]), 1)
        return pod, pod["containers"][0]

    def test_every_folder_keeps_to_what_the_oldest_kubectl_knows(self):
        for folder in FOLDERS:
            keys = set(yaml.safe_load(read(f"deploy/k8s/{folder}/kustomization.yaml")))
            self.assertLessEqual(keys, KUSTOMIZE_KEYS, folder)

    def test_every_pod_is_confined(self):
        users = set(re.findall(r"^USER (\d+):(\d+)$", read("deploy/docker/Dockerfile"), re.M)) - {("0", "0")}
        self.assertEqual(len(users), 1, "of the images")
        user, group = users.pop()
        for folder, pod in self.pods():
            with self.subTest(folder):
                context = pod["securityContext"]
                self.assertTrue(context["runAsNonRoot"])
                self.assertEqual((context["runAsUser"], context["runAsGroup"]), (int(user), int(group)))
                self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"})
                self.assertFalse(pod["automountServiceAccountToken"])
                for container in pod["containers"] + pod.get("initContainers", []):
                    self.assertEqual(container["securityContext"], {"readOnlyRootFilesystem": True,
                                                                   "allowPrivilegeEscalation": False,
                                                                   "capabilities": {"drop": ["ALL"]}})
                    self.assertIn("memory", container["resources"]["limits"])
                    self.assertEqual(set(container["resources"]["requests"]), {"cpu", "memory"})

    def test_every_image_has_this_version(self):
        version = re.search(r"^project\(digit VERSION (\S+)", read("CMakeLists.txt"), re.M)[1]
        images = {container["image"] for _, pod in self.pods()
                  for container in pod["containers"] + pod.get("initContainers", [])}
        self.assertEqual(images, {f"digitd:{version}", f"digitd-torch:{version}", f"digit-gateway:{version}"})

    def test_every_mount_has_its_volume_and_none_is_a_sub_path(self):
        for folder, pod in self.pods():
            volumes = {volume["name"] for volume in pod["volumes"]}
            for container in pod["containers"] + pod.get("initContainers", []):
                for mount in container.get("volumeMounts", []):
                    self.assertIn(mount["name"], volumes, folder)
                    self.assertNotIn("subPath", mount, f"{folder}: the kubelet would never change it")

    def test_digitd_takes_every_setting(self):
        for folder, _, _, environment in self.daemons():
            with self.subTest(folder):
                shown = run(f"{BIN}/digitd", "--print-config", env=environment)
                self.assertEqual(shown.returncode, 0, shown.stderr)
                for name, value in environment.items():
                    if value:
                        self.assertRegex(shown.stdout, rf"(?m)^{name[7:].lower().replace('_', '-')} = .*{value}")

    def test_what_settings_point_to_is_mounted(self):
        for folder, _, container, environment in self.daemons():
            mounts = [mount["mountPath"] for mount in container["volumeMounts"]] + ["/usr/local/share/digit"]
            for name, value in environment.items():
                if value.startswith("/"):
                    self.assertTrue(any(value.startswith(mount) for mount in mounts), f"{folder}: {name}={value}")

    def test_probes_and_service_lead_to_the_port_that_digitd_listens_on(self):
        for folder, _, container, environment in self.daemons():
            with self.subTest(folder):
                port, metrics = (int(environment[f"DIGITD_{name}"].rpartition(":")[2])
                                 for name in ("LISTEN", "METRICS_LISTEN"))
                self.assertEqual({entry["name"]: entry["containerPort"] for entry in container["ports"]},
                                 {"grpc": port, "metrics": metrics})
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    self.assertEqual(container[probe]["grpc"]["port"], port)
                service = self.one(folder, "Service", "digitd")["spec"]
                self.assertEqual(service["clusterIP"], "None")
                self.assertEqual({entry["targetPort"]: entry["port"] for entry in service["ports"]},
                                 {"grpc": port, "metrics": metrics})

    def test_service_and_budget_select_the_pods(self):
        sets = [(folder, self.one(folder, "StatefulSet")) for folder in ("base", "model-configmap", "model-volume")]
        for folder, pods in sets + [("gateway", self.one("gateway", "Deployment"))]:
            name = pods["metadata"]["name"]
            labels = pods["spec"]["template"]["metadata"]["labels"]
            self.assertEqual(pods["spec"]["selector"]["matchLabels"], labels)
            self.assertEqual(pods["spec"].get("serviceName", name), name)
            self.assertEqual(self.one(folder, "Service", name)["spec"]["selector"], labels)
            self.assertEqual(self.one(folder, "PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"], labels)

    def test_a_pod_has_time_to_drain(self):
        pods = [(pod, container, "DIGITD") for _, pod, container, _ in self.daemons()]
        for pod, container, prefix in pods + [(*self.gateway(), "DIGIT_GATEWAY")]:
            pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
            drain = int(environment_of(container)[f"{prefix}_DRAIN_TIMEOUT"].rstrip("s"))
            self.assertGreater(pod["terminationGracePeriodSeconds"], pause + drain, container["name"])

    def test_the_gateway_takes_every_setting_and_answers_its_probes(self):
        pod, container = self.gateway()
        environment = environment_of(container)
        flags = run(f"{BIN}/digit-gateway", "--help").stdout
        for name in environment:
            self.assertIn(f"(Env:{name})", flags)
        probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
        known = {header["value"] for probe in probes.values() for header in probe["httpHeaders"]}
        self.assertEqual(known, {self.one("gateway", "Service", "digit-gateway")["metadata"]["name"]})
        # As in a pod, but for the port and that no daemon is there; and with the argument that an Ingress wants.
        gateway = subprocess.Popen([f"{BIN}/digit-gateway", "--allow-host", known.pop()], stderr=subprocess.PIPE,
                                   text=True, env={**environment, "DIGIT_GATEWAY_LISTEN": "127.0.0.1:0"})
        try:
            line = next(line for line in gateway.stderr if " serving " in line)
            self.assertIn(f"server={environment['DIGIT_GATEWAY_SERVER']}", line)
            address = re.search(r"address=(\S+)", line)[1]
            seen = {kind: status_of(f"http://{address}{probe['path']}",
                                    {header["name"]: header["value"] for header in probe["httpHeaders"]})
                    for kind, probe in probes.items()}
            self.assertEqual(seen, {"startup": 200, "readiness": 503, "liveness": 200})
            self.assertEqual(status_of(f"http://{address}/healthz", {"Host": "elsewhere"}), 421)
            gateway.terminate()
            self.assertEqual(gateway.wait(timeout=30), 0)
        finally:
            gateway.kill()
            gateway.communicate()

    def test_the_gateway_is_found_and_finds_the_daemons(self):
        _, container = self.gateway()
        environment = environment_of(container)
        port = int(environment["DIGIT_GATEWAY_LISTEN"].rpartition(":")[2])
        self.assertEqual(container["ports"], [{"name": "http", "containerPort": port}])
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertEqual(container[probe]["httpGet"]["port"], "http")
        service = self.one("gateway", "Service", "digit-gateway")["spec"]
        self.assertNotIn("clusterIP", service)
        self.assertEqual(service["ports"], [{"name": "http", "port": 80, "targetPort": "http"}])
        daemons = self.one("base", "Service", "digitd")
        ports = {entry["name"]: entry["port"] for entry in daemons["spec"]["ports"]}
        self.assertEqual(environment["DIGIT_GATEWAY_SERVER"],
                         f"dns:///{daemons['metadata']['name']}:{ports['grpc']}")

    def test_applying_the_gateway_leaves_the_daemons_and_their_model_as_they_are(self):
        named = {(document["kind"], document["metadata"]["name"]) for document in self.built["gateway"]}
        self.assertEqual(named, {(kind, "digit-gateway") for kind in ("Deployment", "Service", "PodDisruptionBudget")})

    def test_the_images_targets(self):
        """The last one, which `docker build` takes without --target, is the daemon."""
        dockerfile = read("deploy/docker/Dockerfile")
        stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?\n(.*?)(?=^FROM|\Z)", dockerfile, re.M | re.S)
        self.assertEqual(stages[-1][:2], ("digitd", ""))
        text = {name: body for _, name, body in stages}
        for target, program, variable in (("digitd", "digitd", "DIGITD_LISTEN"),
                                          ("gateway", "digit-gateway", "DIGIT_GATEWAY_LISTEN")):
            self.assertIn(f'ENTRYPOINT ["{program}"]', text[target])
            port = re.search(r"^EXPOSE (\d+)$", text[target], re.M)[1]
            self.assertRegex(text[target], rf"(?m)^ENV {variable}=0\.0\.0\.0:{port}\b")

    def test_the_model_fits_its_configmap_and_keeps_its_name(self):
        configmap = self.one("model-configmap", "ConfigMap")
        self.assertEqual(list(configmap["binaryData"]), ["mnist.pt"])
        self.assertLess(os.path.getsize(MODEL), CONFIGMAP_LIMIT)
        pod = self.one("model-configmap", "StatefulSet")["spec"]["template"]["spec"]
        self.assertIn(configmap["metadata"]["name"],
                      [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume])

    def test_the_job_writes_where_the_pods_read(self):
        claim = self.one("model-volume", "PersistentVolumeClaim")["metadata"]["name"]
        for folder, pod in self.pods():
            if folder in ("model-volume", "training-job"):
                self.assertIn({"name": "models", "persistentVolumeClaim": {"claimName": claim}}, pod["volumes"])

    def test_the_jobs_script_adds_a_whole_version(self):
        """With a digit-train that only writes its file, in a folder for the volume."""
        script = self.one("training-job", "Job")["spec"]["template"]["spec"]["containers"][0]["command"][2]
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(f"{folder}/models/mnist/9")
            os.makedirs(f"{folder}/models/mnist/10")
            with open(f"{folder}/digit-train", "w") as program:
                program.write('#!/bin/bash\nwhile [[ $1 != --out ]]; do shift; done; echo "model" >"$2"\n')
            os.chmod(program.name, 0o755)
            done = run("bash", "-euc", script.replace("/models", f"{folder}/models"), "digit-train",
                       env={"PATH": f"{folder}:{os.environ['PATH']}", "RUN": "a"})
            self.assertEqual((done.returncode, done.stdout), (0, "mnist has version 11\n"), done.stderr)
            self.assertEqual(sorted(os.listdir(f"{folder}/models/mnist")), ["10", "11", "9"])
            self.assertEqual(os.listdir(f"{folder}/models/mnist/11"), ["model.pt"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
