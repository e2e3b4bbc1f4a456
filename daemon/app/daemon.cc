#include "daemon/app/daemon.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/state_folder.h"
#include "base/status.h"
#include "base/telemetry/metrics_server.h"
#include "base/threads.h"
#include "daemon/app/admin_token.h"
#include "daemon/app/daemon_metrics.h"
#include "daemon/app/grpc_settings.h"
#include "daemon/app/listen_address.h"
#include "daemon/app/reflection.h"
#include "daemon/app/stream_drain.h"
#include "daemon/feedback/sqlite_feedback_store.h"
#include "daemon/pool/device_list.h"
#include "daemon/pool/pool.h"
#include "daemon/registry/file_watcher.h"
#include "daemon/registry/gate_images.h"
#include "daemon/registry/model_loader.h"
#include "daemon/registry/model_registry.h"
#include "daemon/rpc/authorizer.h"
#include "daemon/rpc/digit_service.h"
#include "daemon/rpc/health_service.h"
#include "daemon/rpc/oip/inference_service.h"
#include "daemon/serving/corrections.h"
#include "daemon/serving/decode_pool.h"
#include "daemon/serving/recognizer.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "model/engine/engine_factory.h"
#include "model/image/image_framer.h"

namespace digit {
namespace {

// Between eight pictures of the gate, which take 0.2 ms: p99 at half the peak with a reload every two seconds is 1.3
// times that without, 1.8 times without this rest (tests/bench/live_models).
constexpr absl::Duration kGateRest = absl::Microseconds(500);

std::string FolderOfThisProgram() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

const char* GetEnvironment(const char* name) { return std::getenv(name); }

EngineChoice EngineChoiceOf(const std::string& text) {
  if (text == "cpu") return EngineChoice::kCpu;
  return text == "torch" ? EngineChoice::kTorch : EngineChoice::kAuto;
}

Pool::Options PoolOptionsOf(const DaemonConfig& config, std::vector<Device> devices, EngineFactory* engines) {
  return {.devices = std::move(devices),
          .replicas = config.replicas > 0 ? config.replicas : UsableCores(),
          .gpu_replicas = config.replicas > 0 ? config.replicas : 2,
          .max_batch_size = config.max_batch_size,
          .max_gpu_batch_size = config.max_gpu_batch_size,
          .allowed_batch_sizes = config.allowed_batch_sizes,
          .max_queue_delay = config.max_queue_delay,
          .max_queue_wait = config.max_queue_wait,
          .max_queued_images = config.max_queued_images,
          .engines = engines};
}

// Reads what --gate-data names, so that a mistake is found at the start.
absl::StatusOr<std::shared_ptr<GateImages>> GateImagesOf(const DaemonConfig& config) {
  GateImages::Folders folders{.data_dir = config.data_dir};
  for (const std::string& text : config.gate_data) {
    const ModelFlag flag = ParseNamedFlag(text);
    (flag.name.empty() ? folders.for_all : folders.by_name[flag.name]) = flag.path;
  }
  auto images = std::make_shared<GateImages>(folders);
  for (const auto& [name, folder] : folders.by_name) RETURN_IF_ERROR(images->Of(name).status());
  if (!folders.for_all.empty()) RETURN_IF_ERROR(images->Of("").status());
  return images;
}

using Policies = std::map<std::string, VersionPolicy>;  // by name

absl::StatusOr<Policies> PoliciesOf(const DaemonConfig& config) {
  Policies policies;
  for (const std::string& text : config.model_versions) {
    const ModelFlag flag = ParseNamedFlag(text);
    ASSIGN_OR_RETURN(policies[flag.name], ParseVersionPolicy(flag.path));
  }
  return policies;
}

}  // namespace

// In order of construction; destroyed in reverse.
struct Daemon::Parts {
  DaemonConfig config;
  std::unique_ptr<DaemonMetrics> metrics;  // null: off
  std::unique_ptr<EngineFactory> engines;
  std::unique_ptr<Pool> pool;
  std::unique_ptr<StateFolder> state;
  std::unique_ptr<ModelRegistry> registry;
  std::unique_ptr<ModelLoader> loader;
  std::unique_ptr<FileWatcher> watcher;
  std::unique_ptr<DecodePool> decode_pool;
  std::unique_ptr<Recognizer> recognizer;
  std::unique_ptr<FeedbackStore> feedback;
  std::unique_ptr<Corrections> corrections;
  std::unique_ptr<Trainings> trainings;
  std::unique_ptr<CallBytes> call_bytes;  // of both services
  std::unique_ptr<DigitServiceImpl> service;
  std::unique_ptr<InferenceServiceImpl> inference;
  Mutex health_mu;
  HealthServiceImpl health;
  std::unique_ptr<MetricsServer> metrics_server;
  std::unique_ptr<grpc::Server> server;

  // Any thread; the last one to enter has the newest state.
  void UpdateHealth() {
    MutexLock lock(&health_mu);
    std::map<std::string, bool> models;
    for (const std::string& name : registry->Names()) {
      const absl::StatusOr<ModelDescription> model = registry->Describe(name);
      if (model.ok()) models[name] = model->serving;
    }
    health.SetModels(std::move(models));
  }
};

Daemon::Daemon() : parts_(std::make_unique<Parts>()) {}

Daemon::~Daemon() {
  if (parts_ != nullptr) Stop();
}

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const DaemonConfig& config, absl::Time now) {
  RouteLibraryLogs();
  InitImageLibrary();
  RETURN_IF_ERROR(CheckListenAddress(config.listen));
  if (!config.metrics_listen.empty()) {
    RETURN_IF_ERROR(CheckListenAddress(config.metrics_listen, "--metrics-listen", IpVersion::kFour));
  }
  ASSIGN_OR_RETURN(const std::string admin_token, ReadAdminToken(config.admin_token_file));
  ASSIGN_OR_RETURN(const std::shared_ptr<GateImages> gate_images, GateImagesOf(config));
  ASSIGN_OR_RETURN(Policies policies, PoliciesOf(config));

  std::unique_ptr<Daemon> daemon(new Daemon);
  Parts& parts = *daemon->parts_;
  parts.config = config;
  if (!config.metrics_listen.empty()) parts.metrics = std::make_unique<DaemonMetrics>();
  DaemonMetrics* const metrics = parts.metrics.get();
  parts.engines = MakeEngineFactory({.engine = EngineChoiceOf(config.engine)});
  ASSIGN_OR_RETURN(std::vector<Device> devices,
                   ParseDeviceList(config.devices, [&parts] { return parts.engines->CountGpus(); }));
  Pool::Options pool_options = PoolOptionsOf(config, std::move(devices), parts.engines.get());
  pool_options.metrics = metrics ? &metrics->models : nullptr;
  pool_options.on_serving_change = [&parts] { parts.UpdateHealth(); };
  pool_options.on_engine_failure = [&parts](const PlacedModel& placed, const absl::Status& why) {
    parts.loader->RollbackFailing(placed, why);  // nothing runs before it is there
  };
  ASSIGN_OR_RETURN(parts.pool, Pool::Create(std::move(pool_options)));
  parts.state =
      std::make_unique<StateFolder>(config.state_dir.empty() ? DefaultStateFolder(GetEnvironment) : config.state_dir);
  ModelRegistry::Options registry_options{
      .pool = parts.pool.get(),
      .allow_torchscript = config.engine == "torch",
      .model_dir = config.model_dir,
      .policies = std::move(policies),
      .digests = config.require_digest,
      .gate_images = [gate_images](const std::string& name) { return gate_images->Of(name); },
      .rest = [] { absl::SleepFor(kGateRest); },
      .state = parts.state.get(),
      .probation = config.probation};
  parts.registry = std::make_unique<ModelRegistry>(std::move(registry_options));
  RETURN_IF_ERROR(daemon->LoadModels(now));
  parts.loader = std::make_unique<ModelLoader>(ModelLoader::Options{.registry = parts.registry.get(),
                                                                    .wall_time = [] { return absl::Now(); },
                                                                    .on_change = [&parts] { parts.UpdateHealth(); },
                                                                    .metrics = metrics ? &metrics->reloads : nullptr});
  parts.decode_pool = std::make_unique<DecodePool>(
      DecodePool::Options{.threads = config.decode_threads > 0 ? config.decode_threads : UsableCores(),
                          .max_queue_wait = config.max_queue_wait,
                          .metrics = metrics ? metrics->decode : DecodeMetrics()});
  parts.recognizer =
      std::make_unique<Recognizer>(Recognizer::Options{.max_images_per_call = config.max_images_per_call},
                                   parts.registry.get(), parts.decode_pool.get());
  const SqliteFeedbackStore::Options feedback_options{.folder = parts.state.get(),
                                                      .max_per_source = config.max_feedback_per_source,
                                                      .max_total = config.max_feedback,
                                                      .agreement = config.feedback_agreement};
  parts.feedback = std::make_unique<SqliteFeedbackStore>(feedback_options);
  parts.corrections =
      std::make_unique<Corrections>(Corrections::Options{.registry = parts.registry.get(),
                                                         .decode_pool = parts.decode_pool.get(),
                                                         .store = parts.feedback.get(),
                                                         .wall_time = [] { return absl::Now(); },
                                                         .metrics = metrics ? &metrics->feedback : nullptr});
  parts.trainings = std::make_unique<Trainings>(daemon->TrainingsOptions());
  parts.trainings->Restore();
  parts.call_bytes = std::make_unique<CallBytes>(size_t{16} * config.max_message_bytes);  // guess
  const Authorizer::Options authorizer{.admin_token = admin_token,
                                       .listens_on_loopback = IsLoopbackAddress(config.listen)};
  parts.service = std::make_unique<DigitServiceImpl>(
      DigitServiceImpl::Options{.max_unanswered_images = config.max_unanswered_images,
                                .max_unanswered_bytes = static_cast<size_t>(config.max_message_bytes),
                                .access_log = config.access_log,
                                .metrics = metrics ? &metrics->rpc : nullptr,
                                .authorizer = authorizer},
      parts.call_bytes.get(), parts.recognizer.get(), parts.registry.get(), parts.loader.get(), parts.corrections.get(),
      parts.trainings.get());
  parts.inference = std::make_unique<InferenceServiceImpl>(
      InferenceServiceImpl::Options{.max_images_per_call = config.max_images_per_call,
                                    .max_unanswered_images = config.max_unanswered_images,
                                    .max_unanswered_bytes = static_cast<size_t>(config.max_message_bytes),
                                    .access_log = config.access_log,
                                    .metrics = metrics ? &metrics->rpc : nullptr,
                                    .is_ready = [&parts] { return parts.health.IsServing(); },
                                    .wall_time = [] { return absl::Now(); },
                                    .authorizer = authorizer},
      parts.call_bytes.get(), parts.recognizer.get(), parts.registry.get(), parts.loader.get());

  // The executors run already; gRPC's threads are started from here on and inherit this. Under overload, running what
  // was accepted must come before refusing more, or both suffer: goodput at ten times the peak is 0.90 of the peak with
  // it and 0.82 without (tests/bench/overload).
  GiveWayToOtherThreads(3);
  if (metrics) RETURN_IF_ERROR(daemon->ServeMetrics());
  if (config.reflection) RETURN_IF_ERROR(EnableReflection());
  grpc::ServerBuilder builder;
  LimitServer(config, &builder);
  int port = 0;
  builder.AddListeningPort(config.listen, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(parts.service.get());
  builder.RegisterService(parts.inference.get());
  builder.RegisterService(&parts.health);
  parts.server = builder.BuildAndStart();
  if (parts.server == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", config.listen,
                                               ": somebody else was faster; choose another address with --listen "
                                               "HOST:PORT"));
  }
  daemon->address_ = absl::StrCat(config.listen.substr(0, config.listen.rfind(':')), ":", port);
  parts.UpdateHealth();
  parts.health.SetServing(true);
  if (config.watch) RETURN_IF_ERROR(daemon->StartWatching());
  return daemon;
}

absl::Status Daemon::LoadModels(absl::Time now) {
  const DaemonConfig& config = parts_->config;
  ModelRegistry& registry = *parts_->registry;
  const absl::Status restored = registry.Restore();
  if (!restored.ok()) LogError("what was live before is not known", {{"error", restored}});
  std::set<std::string> names;
  for (const std::string& text : config.models) {
    const ModelFlag model = ParseModelFlag(text);
    names.insert(model.name);
    RETURN_IF_ERROR(registry.Load(model.name, model.path, now));
  }
  absl::Status failure;
  for (const std::string& name : registry.folders().Names()) {
    if (!names.insert(name).second) {
      LogWarn("versions ignored: --model has the name", {{"model", name}, {"folder", config.model_dir}});
      continue;
    }
    const absl::Status status = registry.Load(name, "", now);
    if (status.ok()) continue;
    LogError("model not loaded", {{"model", name}, {"error", status}});
    failure = status;
  }
  if (registry.Names().empty()) {
    if (!failure.ok()) return failure;
    return absl::NotFoundError(absl::StrCat("there is no model in '", config.model_dir, "': no NAME/N/model.pt"));
  }
  // The default folder is not made before there is something to keep.
  if (!config.state_dir.empty()) registry.Save().IgnoreError();  // the log says so
  return absl::OkStatus();
}

absl::Status Daemon::ServeMetrics() {
  Parts& parts = *parts_;
  parts.metrics->AddPulled(parts.pool.get(), parts.registry.get(), parts.decode_pool.get(), parts.corrections.get(),
                           parts.trainings.get(), {&parts.service->streams(), &parts.inference->streams()});
  ASSIGN_OR_RETURN(parts.metrics_server, MetricsServer::Start(&parts.metrics->registry, parts.config.metrics_listen));
  metrics_address_ = parts.metrics_server->address();
  return absl::OkStatus();
}

Trainings::Options Daemon::TrainingsOptions() {
  Parts& parts = *parts_;
  Trainings::Options options;
  options.state = parts.state.get();
  options.trainer = parts.config.trainer.empty() ? FolderOfThisProgram() + "/digit-train" : parts.config.trainer;
  options.version = Version();
  options.data_dir = parts.config.data_dir;
  options.threads = std::max(1, UsableCores() / 2);  // the caches are shared even where the cores are idle
  options.memory_bytes = parts.config.trainer_memory;
  options.model_name = [&parts](const std::string& model) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const ModelHandle live, parts.registry->Find(model, ""));
    return live->name;
  };
  options.live_model = [&parts](const std::string& model) { return parts.registry->ReadLive(model); };
  options.corrections = [&parts](const std::string& model) -> absl::StatusOr<LabeledImages> {
    ASSIGN_OR_RETURN(const ModelHandle live, parts.registry->Find(model, ""));
    ASSIGN_OR_RETURN(TrainingPictures accepted, parts.feedback->Accepted(model, live->model->spec.labels));
    return LabeledImages{.pixels = std::move(accepted.pixels), .labels = std::move(accepted.labels)};
  };
  options.publish = [&parts](const std::string& model, const std::string& path, Promote promote,
                             std::function<void(absl::StatusOr<Trainings::Published>)> done) {
    parts.loader->Publish(model, path, promote, [done = std::move(done)](absl::StatusOr<ModelRegistry::Reloaded> in) {
      if (!in.ok()) return done(in.status());
      const bool promoted = in->candidate == nullptr;
      const ModelHandle& version = promoted ? in->live : in->candidate;
      done(Trainings::Published{
          .version = version->version, .promoted = promoted, .gate = in->refused.empty() ? in->gate : in->refused});
    });
  };
  options.wall_time = [] { return absl::Now(); };
  options.metrics = parts.metrics ? &parts.metrics->trainings : nullptr;
  return options;
}

absl::Status Daemon::StartWatching() {
  Parts& parts = *parts_;
  std::map<std::string, std::vector<std::string>> names;  // by path
  for (const auto& [name, path] : parts.registry->Paths()) {
    names[path].push_back(name);
    names[std::filesystem::path(path).replace_extension(".json").string()].push_back(name);
  }
  FileWatcher::Options options;
  options.list = [&parts, names] {
    VersionFolders::Places places = parts.registry->folders().List();
    for (const auto& [path, _] : names) places.files.push_back(path);
    return FileWatcher::Watched{.files = std::move(places.files), .folders = std::move(places.folders)};
  };
  options.on_change = [&parts, names](const std::string& path) {
    const auto given = names.find(path);
    if (given == names.end()) return parts.loader->ReloadIfChanged(VersionFolders::NameOf(path));
    for (const std::string& name : given->second) parts.loader->ReloadIfChanged(name);
  };
  ASSIGN_OR_RETURN(parts.watcher, FileWatcher::Create(std::move(options)));
  ReloadAll();  // a file may have changed between its loading and the watcher's first look
  return absl::OkStatus();
}

void Daemon::ReloadAll() {
  std::set<std::string> names;
  for (std::string& name : parts_->registry->Names()) names.insert(std::move(name));
  for (std::string& name : parts_->registry->folders().Names()) names.insert(std::move(name));
  for (const std::string& name : names) parts_->loader->ReloadIfChanged(name);
}

void Daemon::Stop() {
  Parts& parts = *parts_;
  parts.watcher.reset();
  if (parts.server != nullptr) {
    LogInfo("draining", {{"timeout", absl::FormatDuration(parts.config.drain_timeout)}});
    parts.health.SetServing(false);
    parts.health.EndWatches();
    parts.trainings->EndWatches();
    const SteadyTime give_up = SteadyClock()->Now() + parts.config.drain_timeout;
    OpenStreams* const open[] = {&parts.service->streams(), &parts.inference->streams()};
    StreamDrain streams({.timeout = parts.config.drain_timeout,
                         .end_idle =
                             [&open](absl::Duration idle_for) {
                               for (OpenStreams* of_service : open) of_service->EndIdle(idle_for);
                             },
                         .stop_reading =
                             [&open] {
                               for (OpenStreams* of_service : open) of_service->StopReading();
                             }});
    parts.server->Shutdown(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(parts.config.drain_timeout));
    if (SteadyClock()->Now() >= give_up) {
      LogWarn("drain timed out, calls that were still open are cut",
              {{"timeout", absl::FormatDuration(parts.config.drain_timeout)}});
    }
    parts.server->Wait();
  }
  parts.metrics_server.reset();  // not before: how a drain goes can be watched
  // Every call has been answered or cut: nothing below is in use any more.
  parts.decode_pool.reset();
  if (parts.trainings != nullptr) parts.trainings->Stop();  // what it publishes is to be finished by the loader
  if (parts.loader != nullptr) parts.loader->Stop();
  if (parts.registry != nullptr) parts.registry->Clear();
  if (parts.pool != nullptr) parts.pool->Drain();
  parts_.reset();
}

}  // namespace digit
