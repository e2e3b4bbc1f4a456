// Everything an operator can set, as plain values. Filled by flags.h, checked by Validate(), read by daemon.cc only.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace digit {

// One --model [NAME=]FILE.
struct ModelFlag {
  std::string name;
  std::string path;
};

// Turns "NAME=REST" or "REST" into its parts; an empty name stands for every model that no other names.
ModelFlag ParseNamedFlag(const std::string& text);

// Turns "NAME=FILE" or "FILE" (named by its stem) into its parts; CheckModelName() is Validate()'s.
ModelFlag ParseModelFlag(const std::string& text);

struct DaemonConfig {
  std::vector<std::string> models;          // as given, [NAME=]FILE; at least one, or a model_dir
  std::string model_dir;                    // of version folders, NAME/N/model.pt; empty: none
  std::vector<std::string> model_versions;  // as given, [NAME=]latest, all or N,N: what of model_dir is loaded
  std::string listen = "127.0.0.1:50051";   // HOST:PORT; port 0 picks one
  std::string metrics_listen;               // the same, IPv4, for Prometheus; empty: nothing is counted or served
  std::string devices = "auto";
  int replicas = 0;               // executors per device; 0: one per usable core, two for each GPU
  std::string engine = "auto";    // auto, cpu, torch
  int max_batch_size = 32;        // images, on a CPU
  int max_gpu_batch_size = 1024;  // images, on a GPU
  absl::Duration max_queue_delay = absl::ZeroDuration();
  std::vector<int> allowed_batch_sizes;              // smaller batches are padded; empty: any size
  absl::Duration max_queue_wait = absl::Seconds(1);  // what would wait longer is refused
  int max_queued_images = 4096;                      // per model
  int max_images_per_call = 1024;
  int max_unanswered_images = 256;  // per stream
  int64_t max_message_bytes = 16 << 20;
  int decode_threads = 0;                            // 0: one per usable core
  absl::Duration drain_timeout = absl::Seconds(20);  // below Kubernetes' default grace of 30 s
  bool watch = true;                                 // reload a model when its file changes
  // As given, [NAME=]FOLDER: folders as MNIST's, on whose validation images a new version is compared.
  std::vector<std::string> gate_data;
  std::string data_dir;        // of such folders by name; a model's own is its gate_data too; empty: none
  std::string require_digest;  // a file of the SHA-256 of every model that may be loaded; empty: any
  absl::Duration probation = absl::Minutes(1);  // a version that fails within it after it went live is rolled back
  std::string state_dir;                        // what must survive; empty: DefaultStateFolder()
  std::string trainer;                          // digit-train's path; empty: the one beside this program
  int64_t trainer_memory = 0;                   // bytes that it may take; 0: what there is to spare
  int max_feedback = 100'000;                   // corrections that are kept
  int max_feedback_per_source = 1000;           // of these, from one source and not reviewed
  int feedback_agreement = 0;                   // sources that are believed without a review; 0: none
  std::string admin_token_file;                 // empty: admin calls on loopback only
  std::string log_level = "info";               // debug, info, warn, error, off
  bool access_log = false;                      // at info
  bool reflection = false;                      // the service grpc.reflection.v1alpha
};

// Every problem at once, one a line: "listen: ...". Pure.
absl::Status Validate(const DaemonConfig& config);

// "key = value" lines, sorted as above; what --print-config shows and --config reads.
std::string FormatConfig(const DaemonConfig& config);

}  // namespace digit
