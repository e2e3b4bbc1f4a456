// With real files and the real inotify: generous limits, no sleeps.
#include "daemon/registry/file_watcher.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "base/file.h"
#include "base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

namespace fs = std::filesystem;

class FileWatcherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("file_watcher_test." + std::to_string(::getpid()) + "." +
                                                ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override {
    watcher_ = nullptr;
    fs::remove_all(folder_);
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomically((folder_ / name).string(), text).ok());
  }
  // `poll`: long by default, so that only events can wake the watcher.
  void Watch(const std::string& name, absl::Duration poll = absl::Hours(1)) {
    auto watcher = FileWatcher::Create(
        {.list = [path = (folder_ / name).string()] { return FileWatcher::Watched{.files = {path}}; },
         .poll = poll,
         .settle = absl::Milliseconds(5),
         .on_change =
             [this](const std::string& path) {
               const absl::StatusOr<std::string> content = ReadFile(path, 1 << 20);
               if (!content.ok()) return;  // it is being replaced once more
               MutexLock lock(&mu_);
               seen_.push_back(*content);
               changed_.NotifyAll();
             }});
    ASSERT_TRUE(watcher.ok()) << watcher.status();
    watcher_ = *std::move(watcher);
  }
  // Waits until the watcher has reported this content.
  bool Sees(const std::string& text) {
    const SteadyTime give_up = SteadyClock()->Now() + absl::Seconds(30);
    MutexLock lock(&mu_);
    while (seen_.empty() || seen_.back() != text) {
      if (SteadyClock()->Now() >= give_up) return false;
      SteadyClock()->WaitUntil(&changed_, &mu_, give_up);
    }
    return true;
  }
  size_t NumSeen() {
    MutexLock lock(&mu_);
    return seen_.size();
  }

  fs::path folder_;
  Mutex mu_;
  CondVar changed_;
  std::vector<std::string> seen_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<FileWatcher> watcher_;
};

TEST_F(FileWatcherTest, SeesARenameOverTheFile) {
  Write("m.pt", "one");
  Watch("m.pt");
  Write("m.pt", "two");
  EXPECT_TRUE(Sees("two"));
}

TEST_F(FileWatcherTest, SeesAFileWrittenInPlaceOnceItRests) {
  Write("m.pt", "one");
  Watch("m.pt");
  std::ofstream file(folder_ / "m.pt");
  for (int i = 0; i < 100; ++i) file << "part " << i << std::endl;
  file << "the end";
  file.close();
  std::string all;
  for (int i = 0; i < 100; ++i) all += "part " + std::to_string(i) + "\n";
  EXPECT_TRUE(Sees(all + "the end"));
}

TEST_F(FileWatcherTest, SeesAFileThatComesLaterAndOneThatComesBack) {
  Watch("m.pt");
  Write("m.pt", "one");
  EXPECT_TRUE(Sees("one"));
  fs::remove(folder_ / "m.pt");
  Write("m.pt", "two");
  EXPECT_TRUE(Sees("two"));
}

TEST_F(FileWatcherTest, AnotherFileInTheFolderIsNoChange) {
  Write("m.pt", "one");
  Watch("m.pt");
  Write("other.pt", "x");
  Write("m.pt", "two");
  EXPECT_TRUE(Sees("two"));
  EXPECT_EQ(NumSeen(), 1u);
}

TEST_F(FileWatcherTest, WithoutEventsThePollSeesIt) {
  fs::create_directories(folder_ / "elsewhere");  // not a folder that is watched
  Write("elsewhere/m.pt", "one");
  fs::create_symlink("elsewhere/m.pt", folder_ / "m.pt");
  Watch("m.pt", absl::Milliseconds(5));
  Write("elsewhere/m.pt", "two");
  EXPECT_TRUE(Sees("two"));
}

// As the kubelet lays out a volume: m.pt -> ..data/m.pt, ..data -> ..N; an update makes ..N+1 and renames a new ..data
// over the old one.
TEST_F(FileWatcherTest, OfAThousandSwapsOfAKubernetesVolumeTheLastOneWinsAndNothingLeaks) {
  const auto swap = [&](int n) {
    const std::string version = ".." + std::to_string(n);
    fs::create_directories(folder_ / version);
    std::ofstream(folder_ / version / "m.pt") << n;
    fs::create_directory_symlink(version, folder_ / "..data_tmp");
    fs::rename(folder_ / "..data_tmp", folder_ / "..data");
    if (n > 0) fs::remove_all(folder_ / (".." + std::to_string(n - 1)));
  };
  const auto descriptors = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  swap(0);
  fs::create_symlink("..data/m.pt", folder_ / "m.pt");
  Watch("m.pt");
  const auto before = descriptors();
  for (int n = 1; n <= 1000; ++n) swap(n);
  EXPECT_TRUE(Sees("1000"));
  EXPECT_EQ(descriptors(), before);
}

}  // namespace
}  // namespace digit
