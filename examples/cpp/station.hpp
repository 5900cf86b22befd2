// An exported station: preprocess.json, the graphs that it names, and what the scorer takes beside an image.
#pragma once

#include "image.hpp"

#include <memory>
#include <string>
#include <vector>

struct Result {
    float score = 0;
    std::string verdict;  // "ok", "review" or "ng"; "-" without a threshold
    int map_height = 0, map_width = 0;
    std::vector<float> map;  // anomaly map, row by row
};

class Station {
public:
    // Reads the folder and compiles its graphs. Throws std::runtime_error where this example cannot do what the station asks.
    explicit Station(const std::string& folder);
    ~Station();

    Result score(const Image& image);

private:
    struct Loaded;
    std::unique_ptr<Loaded> loaded_;
};
