"""deploy/k8s as kustomize builds it, held against itself, the programs and the Dockerfile.

That it works is for tests/containers/run to show. The programs are in DIGIT_BIN_DIR.
"""
import os
import re
import shutil
import tempfile
import unittest

import yaml

from digitd_test import BIN, MODEL, run

FOLDERS = ("base", "model-configmap", "model-volume", "training-job")
# What the kustomize 2.0 of kubectl 1.20 knows.
KUSTOMIZE_KEYS = {"bases", "resources", "images", "configMapGenerator", "generatorOptions", "patchesStrategicMerge"}
CONFIGMAP_LIMIT = 1 << 20


def read(path):
    with open(path) as file:
        return file.read()


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

    def one(self, folder, kind):
        found = [document for document in self.built[folder] if document["kind"] == kind]
        self.assertEqual(len(found), 1, f"{kind} in {folder}")
        return found[0]

    def pods(self):
        """(folder, pod spec) of everything that runs; the volumes are also those that a pod gets of its own."""
        for folder, documents in self.built.items():
            for document in documents:
                if document["kind"] in ("StatefulSet", "Job"):
                    claims = document["spec"].get("volumeClaimTemplates", [])
                    pod = document["spec"]["template"]["spec"]
                    yield folder, {**pod, "volumes": pod["volumes"] + [claim["metadata"] for claim in claims]}

    def daemons(self):
        """(folder, pod spec, container, environment) of every digitd."""
        for folder, pod in self.pods():
            for container in pod["containers"]:
                if container["name"] == "digitd":
                    yield folder, pod, container, {entry["name"]: entry["value"] for entry in container["env"]}

    def test_every_folder_keeps_to_what_the_oldest_kubectl_knows(self):
        for folder in FOLDERS:
            keys = set(yaml.safe_load(read(f"deploy/k8s/{folder}/kustomization.yaml")))
            self.assertLessEqual(keys, KUSTOMIZE_KEYS, folder)

    def test_every_pod_is_confined(self):
        user = re.search(r"^USER (\d+):(\d+)$", read("deploy/docker/Dockerfile"), re.M)
        for folder, pod in self.pods():
            with self.subTest(folder):
                context = pod["securityContext"]
                self.assertTrue(context["runAsNonRoot"])
                self.assertEqual((context["runAsUser"], context["runAsGroup"]), (int(user[1]), int(user[2])))
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
        self.assertEqual(images, {f"digitd:{version}", f"digitd-torch:{version}"})

    def test_every_mount_has_its_volume_and_none_is_a_sub_path(self):
        for folder, pod in self.pods():
            volumes = {volume["name"] for volume in pod["volumes"]}
            for container in pod["containers"] + pod.get("initContainers", []):
                for mount in container["volumeMounts"]:
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
                service = self.one(folder, "Service")["spec"]
                self.assertEqual(service["clusterIP"], "None")
                self.assertEqual({entry["targetPort"]: entry["port"] for entry in service["ports"]},
                                 {"grpc": port, "metrics": metrics})

    def test_service_and_budget_select_the_pods(self):
        for folder in FOLDERS[:3]:
            labels = self.one(folder, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
            self.assertEqual(self.one(folder, "StatefulSet")["spec"]["selector"]["matchLabels"], labels)
            self.assertEqual(self.one(folder, "StatefulSet")["spec"]["serviceName"],
                             self.one(folder, "Service")["metadata"]["name"])
            self.assertEqual(self.one(folder, "Service")["spec"]["selector"], labels)
            self.assertEqual(self.one(folder, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"], labels)

    def test_a_pod_has_time_to_drain(self):
        for folder, pod, container, environment in self.daemons():
            pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
            drain = int(environment["DIGITD_DRAIN_TIMEOUT"].rstrip("s"))
            self.assertGreater(pod["terminationGracePeriodSeconds"], pause + drain, folder)

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
