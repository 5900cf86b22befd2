using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

/// <summary>An exported station: preprocess.json, the graphs that it names, and what the scorer takes beside an image.</summary>
public sealed class Station : IDisposable
{
    private readonly JsonElement _told;
    private readonly Dictionary<string, NamedOnnxValue> _memory;
    private readonly InferenceSession _encoder, _scorer;

    /// <summary>Read the folder and load its graphs. Throws where this example cannot do what the station asks.</summary>
    public Station(string folder)
    {
        _told = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "preprocess.json"))).RootElement;
        if (_told.GetProperty("format").GetInt32() != 1) throw new NotSupportedException("the station was exported by a later oddlens");
        if (_told.GetProperty("tiles").ValueKind != JsonValueKind.Null)
            throw new NotSupportedException("the station cuts images into tiles, which this example does not");
        if (_told.GetProperty("roi").GetBoolean())
            throw new NotSupportedException("the station has a region of interest, which this example does not know");
        _memory = ReadArrays(Path.Combine(folder, Text(_told, "memory")));
        _encoder = new InferenceSession(Path.Combine(folder, Text(_told.GetProperty("encoder"), "file")));
        _scorer = new InferenceSession(Path.Combine(folder, Text(_told.GetProperty("scorer"), "file")));
    }

    /// <summary>The score of an image, and "ok", "review" or "ng"; "-" without a threshold.</summary>
    public (double Score, string Verdict) Score(Pixels image)
    {
        JsonElement encoder = _told.GetProperty("encoder"), scorer = _told.GetProperty("scorer");
        var pixels = NamedOnnxValue.CreateFromTensor(Text(encoder, "input"), Prepared(image));
        using var features = _encoder.Run(new[] { pixels }, Texts(encoder, "outputs"));
        var known = features.ToDictionary(each => each.Name, each => (NamedOnnxValue)each);
        var given = Texts(scorer, "inputs").Select(name => known.TryGetValue(name, out var feature) ? feature : _memory[name]).ToList();
        using var found = _scorer.Run(given, new[] { Text(scorer, "score") });
        var first = found.First(); // float32 or float64, as the method computes
        var score = first.ElementType == TensorElementType.Double ? first.AsEnumerable<double>().First() : first.AsEnumerable<float>().First();
        var thresholds = _told.GetProperty("thresholds");
        bool Above(string name) => thresholds.GetProperty(name) is { ValueKind: JsonValueKind.Number } value && score > value.GetDouble();
        if (thresholds.GetProperty("image").ValueKind == JsonValueKind.Null) return (score, "-");
        return (score, Above("image") ? "ng" : Above("review") ? "review" : "ok");
    }

    /// <summary>The image as the encoder takes it: [1, 3, height, width].</summary>
    private DenseTensor<float> Prepared(Pixels image)
    {
        JsonElement resize = _told.GetProperty("resize"), normalise = _told.GetProperty("normalise");
        int side = resize.GetProperty("size").GetInt32(), height = side, width = side;
        if (resize.GetProperty("aspect_cell") is { ValueKind: JsonValueKind.Number } aspect)
        {
            int cell = aspect.GetInt32();
            double most = resize.GetProperty("most_aspect").GetDouble();
            double root = Math.Sqrt(Math.Clamp((double)image.Width / image.Height, 1 / most, most));
            height = Math.Max(1, (int)Math.Round(side / root / cell, MidpointRounding.ToEven)) * cell;
            width = Math.Max(1, (int)Math.Round(side * root / cell, MidpointRounding.ToEven)) * cell;
        }
        var small = image.Resized(width, height, Text(resize, "interpolation")).Values;
        var divideBy = normalise.GetProperty("divide_by").GetSingle();
        var made = new float[3 * height * width];
        for (var colour = 0; colour < 3; colour++)
        {
            float mean = normalise.GetProperty("mean")[colour].GetSingle(), deviation = normalise.GetProperty("std")[colour].GetSingle();
            for (var place = 0; place < height * width; place++)
                made[colour * height * width + place] = (small[3 * place + colour] / divideBy - mean) / deviation;
        }
        return new DenseTensor<float>(made, new[] { 1, 3, height, width });
    }

    /// <summary>The arrays of a safetensors file: eight bytes with the length of a header in JSON, the header, the numbers.</summary>
    private static Dictionary<string, NamedOnnxValue> ReadArrays(string path)
    {
        var data = File.ReadAllBytes(path);
        var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(data);
        var arrays = new Dictionary<string, NamedOnnxValue>();
        foreach (var entry in JsonDocument.Parse(data.AsMemory(8, length)).RootElement.EnumerateObject())
        {
            if (entry.Name == "__metadata__") continue;
            var shape = entry.Value.GetProperty("shape").EnumerateArray().Select(each => each.GetInt32()).ToArray();
            int start = entry.Value.GetProperty("data_offsets")[0].GetInt32(), end = entry.Value.GetProperty("data_offsets")[1].GetInt32();
            var bytes = data.AsSpan(8 + length + start, end - start);
            arrays[entry.Name] = Text(entry.Value, "dtype") switch
            {
                "F32" => Made<float>(entry.Name, bytes, shape),
                "F64" => Made<double>(entry.Name, bytes, shape),
                "I64" => Made<long>(entry.Name, bytes, shape),
                var other => throw new NotSupportedException($"{path} holds {other}, which this example does not read"),
            };
        }
        return arrays;
    }

    private static NamedOnnxValue Made<T>(string name, ReadOnlySpan<byte> bytes, int[] shape) where T : struct =>
        NamedOnnxValue.CreateFromTensor(name, new DenseTensor<T>(MemoryMarshal.Cast<byte, T>(bytes).ToArray(), shape));

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static string[] Texts(JsonElement element, string name) =>
        element.GetProperty(name).EnumerateArray().Select(each => each.GetString()!).ToArray();

    public void Dispose()
    {
        _encoder.Dispose();
        _scorer.Dispose();
    }
}
