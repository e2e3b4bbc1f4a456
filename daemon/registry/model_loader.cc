#include "daemon/registry/model_loader.h"

#include <utility>

#include "base/log.h"

namespace digit {
namespace {

// A tenth of a serving thread's share of a processor: much more would starve it on a busy machine.
constexpr int kNice = 10;
constexpr absl::Duration kSaveAgain = absl::Seconds(10);

}  // namespace

ModelLoader::ModelLoader(Options options)
    : options_(std::move(options)), thread_("model-loader", options_.clock, kNice) {}

ModelLoader::Loaded ModelLoader::Tell(const std::string& name, Loaded loaded) {
  if (options_.metrics != nullptr) options_.metrics->Count(*options_.registry, name, loaded);
  if (loaded.ok() && loaded->changed) options_.on_change();
  SaveAgainUnlessSaved();
  return loaded;
}

ModelLoader::Loaded ModelLoader::ReloadNow(const std::string& name, const ModelRegistry::ReloadOptions& options) {
  return Tell(name, options_.registry->Reload(name, options, options_.wall_time()));
}

void ModelLoader::SoonUnlessLeft(HasLeft has_left, Done done, std::function<Loaded()> load) {
  thread_.Soon([has_left = std::move(has_left), done = std::move(done), load = std::move(load)] {
    done(has_left() ? absl::CancelledError("the caller had left before its turn came; nothing was done") : load());
  });
}

void ModelLoader::Reload(const std::string& name, const ModelRegistry::ReloadOptions& options, Done done,
                         HasLeft has_left) {
  SoonUnlessLeft(std::move(has_left), std::move(done), [this, name, options] { return ReloadNow(name, options); });
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
    if (reloaded.ok()) return;
    LogWarn("model not reloaded", {{"model", name}, {"error", reloaded.status()}});
    // The change will not be seen again, and was compared with what is no longer live.
    if (absl::IsAborted(reloaded.status())) ReloadIfChanged(name);
  });
}

void ModelLoader::Promote(const std::string& name, const std::string& version, bool force, Done done,
                          HasLeft has_left) {
  SoonUnlessLeft(std::move(has_left), std::move(done), [this, name, version, force] {
    return Tell(name, options_.registry->PromoteVersion(name, version, force, options_.wall_time()));
  });
}

void ModelLoader::Publish(const std::string& name, const std::string& path, digit::Promote promote, Done done) {
  thread_.Soon([this, name, path, promote, done = std::move(done)] {
    done(Tell(name, options_.registry->Publish(name, path, promote, options_.wall_time())));
  });
}

absl::StatusOr<ModelHandle> ModelLoader::Rollback(const std::string& name) {
  absl::StatusOr<ModelHandle> live = options_.registry->Rollback(name, options_.wall_time());
  if (!live.ok()) return live;
  options_.on_change();
  options_.registry->Save().IgnoreError();  // before the answer, so that it holds; Describe() says when it does not
  SaveAgainUnlessSaved();
  return live;
}

void ModelLoader::RollbackFailing(const PlacedModel& placed, const absl::Status& why) {
  if (!options_.registry->RollbackFailing(placed, why, options_.wall_time())) return;
  options_.on_change();  // not later: what is live now may serve where the failing version did not
  thread_.Soon([this] {
    options_.registry->Save().IgnoreError();
    SaveAgainUnlessSaved();
  });
}

void ModelLoader::SaveAgainUnlessSaved() {
  if (options_.registry->is_saved()) return;
  {
    MutexLock lock(&mu_);
    if (std::exchange(saves_again_, true)) return;
  }
  thread_.At(options_.clock->Now() + kSaveAgain, [this] {
    {
      MutexLock lock(&mu_);
      saves_again_ = false;
    }
    options_.registry->Save().IgnoreError();
    SaveAgainUnlessSaved();
  });
}

}  // namespace digit
