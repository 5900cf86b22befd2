#include "station.hpp"

#include <nlohmann/json.hpp>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/infer_request.hpp>
#include <openvino/runtime/properties.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <stdexcept>

using nlohmann::json;

namespace {

// The arrays of a safetensors file: eight bytes with the length of a header in JSON, the header, the numbers.
std::map<std::string, ov::Tensor> read_arrays(const std::string& path) {
    static const std::map<std::string, ov::element::Type> types{
        {"F32", ov::element::f32}, {"F64", ov::element::f64}, {"I64", ov::element::i64}, {"I32", ov::element::i32},
        {"BOOL", ov::element::boolean}};
    std::ifstream file(path, std::ios::binary);
    std::uint64_t length = 0;
    file.read(reinterpret_cast<char*>(&length), sizeof length);
    std::string header(file ? length : 0, '\0');
    file.read(header.data(), static_cast<std::streamsize>(header.size()));
    if (!file) throw std::runtime_error(path + " cannot be read");
    const json entries = json::parse(header);
    std::map<std::string, ov::Tensor> arrays;
    for (const auto& [name, entry] : entries.items()) {
        if (name == "__metadata__") continue;
        ov::Tensor array(types.at(entry.at("dtype")), ov::Shape(entry.at("shape").get<std::vector<std::size_t>>()));
        file.seekg(static_cast<std::streamoff>(sizeof length + length + entry.at("data_offsets")[0].get<std::uint64_t>()));
        file.read(static_cast<char*>(array.data()), static_cast<std::streamsize>(array.get_byte_size()));
        if (!file) throw std::runtime_error(path + " is truncated");
        arrays.emplace(name, array);
    }
    return arrays;
}

// Scores and maps are float32 or float64, as the method computes.
std::vector<float> as_floats(const ov::Tensor& tensor) {
    if (tensor.get_element_type() == ov::element::f64) {
        return {tensor.data<double>(), tensor.data<double>() + tensor.get_size()};
    }
    return {tensor.data<float>(), tensor.data<float>() + tensor.get_size()};
}

}  // namespace

struct Station::Loaded {
    json told;  // preprocess.json
    std::map<std::string, ov::Tensor> memory;
    ov::InferRequest encoder, scorer;

    ov::Tensor pixels(const Image& image) const;
};

Station::~Station() = default;

Station::Station(const std::string& folder) : loaded_(std::make_unique<Loaded>()) {
    auto& [told, memory, encoder, scorer] = *loaded_;
    std::ifstream file(folder + "/preprocess.json");
    if (!file) throw std::runtime_error(folder + " holds no preprocess.json: give the folder that 'oddlens export' made");
    told = json::parse(file);
    if (told.at("format") != 1) throw std::runtime_error(folder + " was exported by a later oddlens");
    if (!told.at("tiles").is_null()) throw std::runtime_error("the station cuts images into tiles, which this example does not");
    if (told.at("roi").get<bool>()) throw std::runtime_error("the station has a region of interest, which this example does not know");
    memory = read_arrays(folder + "/" + told.at("memory").get<std::string>());
    ov::Core core;
    const auto request = [&told = told, &folder, &core](const char* role) {
        const auto path = folder + "/" + told.at(role).at("file").get<std::string>();
        // Without the hint, OpenVINO computes in bfloat16 where the processor can: scores would not be the station's.
        return core.compile_model(path, "CPU", ov::hint::inference_precision(ov::element::f32)).create_infer_request();
    };
    encoder = request("encoder");
    scorer = request("scorer");
}

Result Station::score(const Image& image) {
    auto& [told, memory, encoder, scorer] = *loaded_;
    encoder.set_tensor(told.at("encoder").at("input").get<std::string>(), loaded_->pixels(image));
    encoder.infer();
    const auto features = told.at("encoder").at("outputs").get<std::vector<std::string>>();
    for (const auto& name : told.at("scorer").at("inputs").get<std::vector<std::string>>()) {
        const bool of_image = std::find(features.begin(), features.end(), name) != features.end();
        scorer.set_tensor(name, of_image ? encoder.get_tensor(name) : memory.at(name));
    }
    scorer.infer();
    Result result;
    result.score = as_floats(scorer.get_tensor(told.at("scorer").at("score").get<std::string>()))[0];
    const auto map = scorer.get_tensor(told.at("scorer").at("map").get<std::string>());
    result.map_height = static_cast<int>(map.get_shape()[1]);
    result.map_width = static_cast<int>(map.get_shape()[2]);
    result.map = as_floats(map);
    const auto& thresholds = told.at("thresholds");
    const auto above = [&](const char* name) {
        return !thresholds.at(name).is_null() && result.score > thresholds.at(name).get<double>();
    };
    result.verdict = thresholds.at("image").is_null() ? "-" : above("image") ? "ng" : above("review") ? "review" : "ok";
    return result;
}

// The image as the encoder takes it: [1, 3, height, width].
ov::Tensor Station::Loaded::pixels(const Image& image) const {
    const auto& resize = told.at("resize");
    int height = resize.at("size"), width = height;
    if (!resize.at("aspect_cell").is_null()) {
        const int side = height, cell = resize.at("aspect_cell");
        const double most = resize.at("most_aspect");
        const double root = std::sqrt(std::clamp(static_cast<double>(image.width) / image.height, 1 / most, most));
        height = std::max(1, static_cast<int>(std::nearbyint(side / root / cell))) * cell;
        width = std::max(1, static_cast<int>(std::nearbyint(side * root / cell))) * cell;
    }
    const Image small = resized(image, width, height, resize.at("interpolation"));
    const auto& normalise = told.at("normalise");
    const float divide_by = normalise.at("divide_by");
    ov::Tensor made(ov::element::f32, {1, 3, static_cast<std::size_t>(height), static_cast<std::size_t>(width)});
    auto* out = made.data<float>();
    for (int colour = 0; colour < 3; ++colour) {
        const float mean = normalise.at("mean")[colour], deviation = normalise.at("std")[colour];
        for (std::size_t place = 0; place < std::size_t(height) * width; ++place) {
            *out++ = (small.pixels[3 * place + colour] / divide_by - mean) / deviation;
        }
    }
    return made;
}
