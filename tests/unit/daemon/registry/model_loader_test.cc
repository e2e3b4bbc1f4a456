#include "daemon/registry/model_loader.h"

#include <atomic>
#include <future>

#include "gmock/gmock.h"
#include "tests/unit/daemon/registry/registry_fixture.h"

namespace digit {
namespace {

using ModelLoaderTest = RegistryTest;

TEST_F(ModelLoaderTest, AChangeThatARollbackOvertookIsTriedAgain) {
  OvertakeTheNextReloadByARollback();
  int reloads = 0;
  std::promise<void> second;
  ModelLoader loader({.registry = &registry_, .wall_time = [&] {
                        if (++reloads == 2) second.set_value();
                        return kNow;
                      }});
  loader.ReloadIfChanged("mnist");
  second.get_future().wait();
  loader.Stop();
  EXPECT_EQ(reloads, 2);
  EXPECT_EQ(*registry_.Find("", ""), first_);
  EXPECT_THAT(registry_.Describe("")->versions.at(1).reason, ::testing::HasSubstr("the gate refused it"));
}

TEST_F(ModelLoaderTest, NothingIsDoneForACallerThatHasLeftBeforeItsTurn) {
  Write(Shifted(1));
  std::vector<absl::StatusCode> answers;
  std::promise<void> last;
  {
    ModelLoader loader({.registry = &registry_});
    bool has_left = false;  // of the loader's thread
    const ModelLoader::Done note = [&](const absl::StatusOr<ModelRegistry::Reloaded>& reloaded) {
      answers.push_back(reloaded.status().code());
      has_left = !has_left;
      if (answers.size() == 4) last.set_value();
    };
    loader.Reload("nobody", {}, note, [&] { return has_left; });
    loader.Reload("mnist", {}, note, [&] { return has_left; });
    loader.Promote("nobody", "", false, note, [&] { return has_left; });
    loader.Promote("mnist", "previous", true, note, [&] { return has_left; });
    last.get_future().wait();
  }
  using Code = absl::StatusCode;
  EXPECT_THAT(answers, ::testing::ElementsAre(Code::kNotFound, Code::kCancelled, Code::kNotFound, Code::kCancelled));
  EXPECT_EQ(*registry_.Find("", ""), first_);
}

TEST_F(ModelLoaderTest, ARollbackOfWhatFailsIsToldWhileAReloadIsUnderWay) {
  Write(Shifted(1));
  ASSERT_TRUE(Reload().ok());
  const ModelHandle failing = *registry_.Find("", "");
  std::atomic<int> changes{0};
  ModelLoader loader({.registry = &registry_, .on_change = [&] { ++changes; }});
  std::promise<void> go_on;
  loader.Reload(
      "mnist", {}, [&](const absl::StatusOr<ModelRegistry::Reloaded>&) { go_on.get_future().wait(); },
      [] { return false; });
  loader.RollbackFailing(*failing->placed, absl::InternalError("broken"));
  EXPECT_EQ(*registry_.Find("", ""), first_);
  EXPECT_EQ(changes, 1);
  go_on.set_value();
}

}  // namespace
}  // namespace digit
