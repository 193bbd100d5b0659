# Deletes and opaque directories: files, trees, what is put in their place, names like whiteouts
FROM busybox
RUN mkdir -p /t/dir/deep /t/gone/deep /t/swap && echo 1 > /t/dir/f && echo 2 > /t/dir/deep/f \
 && echo 3 > /t/file && ln -s dir /t/link && echo 4 > /t/gone/deep/f && echo 5 > /t/swap/f && echo 6 > /t/.f
RUN rm -rf /t/dir && mkdir /t/dir && echo new > /t/dir/new && rm -r /t/gone
RUN rm /t/file && mkdir /t/file && echo in > /t/file/in && rm -r /t/swap && echo file > /t/swap
RUN rm /t/link && mkdir /t/link && mkdir -p /t/gone && rm /t/dir/new && rmdir /t/dir && ln -s gone /t/dir
RUN rm -rf /t/file /t/swap && mkdir /t/swap && rm /t/.f && mv /t/swap /t/renamed
RUN rm -rf /t/* && touch /t/all-new
RUN rm -rf /t
RUN mkdir -p /t/gone/deep && echo again > /t/gone/deep/f
