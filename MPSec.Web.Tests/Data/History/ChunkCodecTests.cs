using MPSec.Data.History;

namespace MPSec.Tests.Data.History;

public sealed class ChunkCodecTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(16384, 0)]
    [InlineData(-3, 0)]
    [InlineData(123_456_789.25, 1.0 / 16384)]
    [InlineData(1e-9, 1.0 / 16384)]
    [InlineData(-1e18, 1.0 / 16384)]
    public void Value_ThereAndBack_KeepsFourteenBits(double value, double error) =>
        Assert.Equal(value, HistoryValue.Decode(HistoryValue.Encode(value)), Math.Abs(value) * error);

    [Fact]
    public void Piece_RandomPoints_ComeBackInOrderWithinTheError()
    {
        var random = new Random(7);
        for (var round = 0; round < 50; round++)
        {
            var points = new List<HistoryPoint>();
            for (var slot = 0L; slot < 360; slot += 1 + (random.Next(10) == 0 ? random.Next(40) : 0))
            {
                var mean = random.Next(3) == 0 ? 0 : (random.NextDouble() - 0.3) * Math.Pow(10, random.Next(12));
                var spread = random.Next(2) == 0 ? 0 : Math.Abs(mean) * random.NextDouble();
                points.Add(new(slot, mean - spread, mean, mean + spread, 1 + random.Next(3)));
            }

            var back = ChunkCodec.Decode(ChunkCodec.Encode(points));
            Assert.Equal(points.Select(p => (p.Slot, p.Count)), back.Select(p => (p.Slot, p.Count)));
            for (var i = 0; i < back.Length; i++)
            {
                Assert.Equal(points[i].Mean, back[i].Mean, Math.Abs(points[i].Mean) / 16384);
                Assert.Equal(points[i].Min, back[i].Min, Math.Abs(points[i].Min) / 16384);
                Assert.Equal(points[i].Max, back[i].Max, Math.Abs(points[i].Max) / 16384);
                Assert.True(back[i].Min <= back[i].Mean && back[i].Mean <= back[i].Max);
            }
        }
    }

    [Fact]
    public void Piece_ConstantSeries_CostsNearlyNothing() =>
        Assert.InRange(ChunkCodec.Encode([.. Enumerable.Range(0, 300).Select(i => new HistoryPoint(i, 42e6, 42e6, 42e6, 1))]).Length, 1, 32);

    [Fact]
    public void Decode_EveryBitFlippedAndEveryLength_SaysDamagedAndNeverAnythingElse()
    {
        var bytes = ChunkCodec.Encode([.. Enumerable.Range(0, 40).Select(i => new HistoryPoint(i, i, i * 1.5, i * 2, 2))]);
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var broken = bytes.ToArray();
            broken[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<HistoryDamageException>(() => ChunkCodec.Decode(broken));
        }

        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<HistoryDamageException>(() => ChunkCodec.Decode(bytes.AsSpan(0, length)));
        }
    }
}
