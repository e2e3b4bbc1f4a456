#include "daemon/registry/model_loader.h"

#include <utility>

#include "base/log.h"

namespace digit {
namespace {

constexpr int kNice = 5;  // a third of a serving thread's share of a processor: more would starve it on a busy machine

}  // namespace

ModelLoader::ModelLoader(Options options)
    : options_(std::move(options)), thread_("model-loader", options_.clock, kNice) {}

absl::StatusOr<ModelRegistry::Reloaded> ModelLoader::ReloadNow(const std::string& name,
                                                               const ModelRegistry::ReloadOptions& options) {
  absl::StatusOr<ModelRegistry::Reloaded> reloaded = options_.registry->Reload(name, options, options_.wall_time());
  if (reloaded.ok() && reloaded->changed) options_.on_change();
  return reloaded;
}

void ModelLoader::Reload(const std::string& name, const ModelRegistry::ReloadOptions& options, Done done) {
  thread_.Soon([this, name, options, done = std::move(done)] { done(ReloadNow(name, options)); });
}

void ModelLoader::ReloadIfChanged(const std::string& name) {
  {
    MutexLock lock(&mu_);
    if (!waiting_.insert(name).second) return;
  }
  thread_.Soon([this, name] {
    {
      MutexLock lock(&mu_);
      waiting_.erase(name);  // from here on a change may have come too late for this reload
    }
    const auto reloaded = ReloadNow(name, {.automatic = true});
    if (!reloaded.ok()) LogWarn("model not reloaded", {{"model", name}, {"error", reloaded.status()}});
  });
}

absl::StatusOr<ModelHandle> ModelLoader::Rollback(const std::string& name) {
  absl::StatusOr<ModelHandle> live = options_.registry->Rollback(name, options_.wall_time());
  if (live.ok()) options_.on_change();
  return live;
}

}  // namespace digit
