namespace MPSec.Live;

/// <summary>The newest <paramref name="capacity"/> items in order. One writer, any number of readers; a reader gets a copy.</summary>
public sealed class RingBuffer<T>(int capacity)
{
    private readonly Lock _lock = new();
    private readonly T[] _items = new T[capacity];
    private int _next;
    private int _count;

    /// <summary>Items held now, at most the capacity.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _count;
            }
        }
    }

    /// <summary>Adds an item; the oldest leaves when the ring is full.</summary>
    public void Add(T item)
    {
        lock (_lock)
        {
            _items[_next] = item;
            _next = (_next + 1) % _items.Length;
            _count = Math.Min(_count + 1, _items.Length);
        }
    }

    /// <summary>A copy, oldest first.</summary>
    public T[] ToArray()
    {
        lock (_lock)
        {
            var copy = new T[_count];
            for (var i = 0; i < _count; i++)
            {
                copy[i] = _items[(_next - _count + i + _items.Length) % _items.Length];
            }

            return copy;
        }
    }
}
